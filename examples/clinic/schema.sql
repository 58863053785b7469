-- The clinic example: who works where, who is treated where, and what was done.
--
-- Every statement can run again: nothing is dropped, nothing is doubled.
-- Run it with db:script(), or with psql.
--
-- What holds throughout:
--   * A clinic is the tenant.  A row that belongs to one clinic names it in
--     clinic_id.  A patient has no clinic column: patient_clinics says which
--     clinics a patient belongs to.
--   * What came out of a visit (history, prescriptions, bills, devices) names
--     the visit together with its clinic and patient in one foreign key, so
--     such a row cannot drift to another clinic or another person.
--   * What is unique beside a key is unique within a clinic, so that a refused
--     row tells nothing of another clinic's.
--   * Keys are uuids.  Where the data brings one it is kept; where it does not,
--     the import derives one from the row, so that a second import meets it.

create schema if not exists healthcare;

create table if not exists healthcare.clinics (
  id          uuid primary key,
  name        text not null,
  subdomain   text unique,
  address     text,
  city        text,
  state       text,
  zip         text,
  latitude    numeric(9, 6),
  longitude   numeric(9, 6),
  phone       text,
  timezone    text not null default 'UTC',
  is_active   boolean not null default true,
  created_at  timestamptz not null default now()
);
comment on table healthcare.clinics is
  'The tenants: one row for each organization that treats patients.';

create table if not exists healthcare.locations (
  id          uuid primary key default gen_random_uuid(),
  clinic_id   uuid not null references healthcare.clinics,
  name        text not null,
  address     text,
  city        text,
  state       text,
  zip         text,
  is_active   boolean not null default true,
  unique (clinic_id, name),
  unique (id, clinic_id)
);
comment on table healthcare.locations is
  'Where a clinic can be visited; each clinic has at least one.';

create table if not exists healthcare.payers (
  id          uuid primary key,
  name        text not null,
  address     text,
  city        text,
  state       text,
  zip         text,
  phone       text
);
comment on table healthcare.payers is
  'Insurers, shared by all clinics; NO_INSURANCE stands for the patient.';

create table if not exists healthcare.users (
  id                 uuid primary key default gen_random_uuid(),
  login              text not null unique,
  primary_clinic_id  uuid references healthcare.clinics,
  is_active          boolean not null default true,
  created_at         timestamptz not null default now()
);
create index if not exists users_clinic
  on healthcare.users (primary_clinic_id);
comment on table healthcare.users is
  'People and services that sign in; what they may do is in user_roles.';

create table if not exists healthcare.profiles (
  user_id     uuid primary key references healthcare.users on delete cascade,
  full_name   text not null,
  gender      text,
  phone       text
);
comment on table healthcare.profiles is
  'What is shown of a user; one row for each.';

create table if not exists healthcare.user_clinics (
  user_id     uuid not null references healthcare.users,
  clinic_id   uuid not null references healthcare.clinics,
  primary key (user_id, clinic_id)
);
create index if not exists user_clinics_clinic
  on healthcare.user_clinics (clinic_id, user_id);
comment on table healthcare.user_clinics is
  'Clinics whose data a user may see.';

create table if not exists healthcare.user_roles (
  user_id     uuid not null references healthcare.users,
  clinic_id   uuid not null references healthcare.clinics,
  role        text not null
              check (role in ('admin', 'doctor', 'nurse', 'staff', 'biller')),
  expires_at  timestamptz,
  revoked_at  timestamptz,
  primary key (user_id, clinic_id, role)
);
create index if not exists user_roles_clinic
  on healthcare.user_roles (clinic_id, user_id);
comment on table healthcare.user_roles is
  'A role at one clinic; in force while neither expired nor revoked.';

create table if not exists healthcare.doctors (
  id                 uuid primary key,
  user_id            uuid unique references healthcare.users,
  primary_clinic_id  uuid not null references healthcare.clinics,
  full_name          text not null,
  gender             text,
  speciality         text not null
);
create index if not exists doctors_clinic
  on healthcare.doctors (primary_clinic_id);
comment on table healthcare.doctors is
  'Those who treat; user_id is empty for one who does not sign in.';

create table if not exists healthcare.doctor_clinics (
  doctor_id    uuid not null references healthcare.doctors,
  clinic_id    uuid not null references healthcare.clinics,
  location_id  uuid,
  start_time   time not null default '09:00',
  end_time     time not null default '17:00',
  primary key (doctor_id, clinic_id),
  foreign key (location_id, clinic_id)
    references healthcare.locations (id, clinic_id),
  check (start_time < end_time)
);
create index if not exists doctor_clinics_clinic
  on healthcare.doctor_clinics (clinic_id, doctor_id);
comment on table healthcare.doctor_clinics is
  'Where and when a doctor sees patients.';

create table if not exists healthcare.patients (
  id                   uuid primary key,
  birth_date           date not null,
  death_date           date,
  ssn                  text,
  first_name           text not null,
  last_name            text not null,
  prefix               text,
  suffix               text,
  maiden_name          text,
  marital              text,
  race                 text,
  ethnicity            text,
  gender               text not null,
  birth_place          text,
  address              text,
  city                 text,
  state                text,
  county               text,
  zip                  text,
  latitude             numeric(9, 6),
  longitude            numeric(9, 6),
  healthcare_expenses  numeric(14, 2),
  healthcare_coverage  numeric(14, 2),
  constraint patient_dies_after_birth check (death_date >= birth_date)
);
create index if not exists patients_name
  on healthcare.patients (last_name, first_name);
comment on table healthcare.patients is
  'People; a patient belongs to the clinics that patient_clinics names.';

create table if not exists healthcare.patient_clinics (
  patient_id  uuid not null references healthcare.patients,
  clinic_id   uuid not null references healthcare.clinics,
  first_seen  timestamptz,
  last_seen   timestamptz,
  primary key (patient_id, clinic_id),
  check (first_seen <= last_seen)
);
create index if not exists patient_clinics_clinic
  on healthcare.patient_clinics (clinic_id, patient_id);
comment on table healthcare.patient_clinics is
  'Membership: a clinic and a patient it has had an encounter with.';

create table if not exists healthcare.encounters (
  id              uuid primary key,
  clinic_id       uuid not null references healthcare.clinics,
  patient_id      uuid not null references healthcare.patients,
  doctor_id       uuid references healthcare.doctors,
  payer_id        uuid references healthcare.payers,
  class           text not null,
  code            text not null,
  description     text not null,
  started_at      timestamptz not null,
  ended_at        timestamptz,
  base_cost       numeric(12, 2) not null default 0,
  total_cost      numeric(12, 2) not null default 0,
  payer_coverage  numeric(12, 2) not null default 0,
  reason_code     text,
  reason          text,
  unique (id, clinic_id, patient_id),
  constraint encounter_ends_after_start check (ended_at >= started_at)
);
create index if not exists encounters_clinic_time
  on healthcare.encounters (clinic_id, started_at);
create index if not exists encounters_patient_time
  on healthcare.encounters (patient_id, started_at);
comment on table healthcare.encounters is
  'Visits that took place, of every kind.';

create table if not exists healthcare.appointments (
  id            uuid primary key default gen_random_uuid(),
  clinic_id     uuid not null references healthcare.clinics,
  location_id   uuid,
  patient_id    uuid not null references healthcare.patients,
  doctor_id     uuid references healthcare.doctors,
  encounter_id  uuid,
  starts_at     timestamptz not null,
  ends_at       timestamptz not null,
  status        text not null default 'booked'
                check (status in ('booked', 'completed', 'cancelled',
                                  'no_show')),
  reason        text,
  foreign key (location_id, clinic_id)
    references healthcare.locations (id, clinic_id),
  foreign key (encounter_id, clinic_id, patient_id)
    references healthcare.encounters (id, clinic_id, patient_id),
  unique (encounter_id, clinic_id),
  constraint appointment_ends_after_start check (ends_at >= starts_at),
  constraint only_kept_has_encounter
    check (encounter_id is null or status = 'completed')
);
create index if not exists appointments_clinic_time
  on healthcare.appointments (clinic_id, starts_at);
create index if not exists appointments_patient_time
  on healthcare.appointments (patient_id, starts_at);
comment on table healthcare.appointments is
  'Planned visits: a kept one names the encounter it became.';

create table if not exists healthcare.emergencies (
  id            uuid primary key default gen_random_uuid(),
  clinic_id     uuid not null references healthcare.clinics,
  patient_id    uuid not null references healthcare.patients,
  encounter_id  uuid not null,
  occurred_at   timestamptz not null,
  resolved_at   timestamptz,
  code          text not null,
  description   text not null,
  unique (encounter_id, clinic_id),
  foreign key (encounter_id, clinic_id, patient_id)
    references healthcare.encounters (id, clinic_id, patient_id),
  check (resolved_at >= occurred_at)
);
create index if not exists emergencies_clinic_time
  on healthcare.emergencies (clinic_id, occurred_at);
create index if not exists emergencies_patient
  on healthcare.emergencies (patient_id);
comment on table healthcare.emergencies is
  'Encounters of class emergency, with the time they were over.';

create table if not exists healthcare.medical_history (
  id            uuid primary key,
  clinic_id     uuid not null references healthcare.clinics,
  patient_id    uuid not null references healthcare.patients,
  encounter_id  uuid not null,
  kind          text not null
                check (kind in ('condition', 'allergy', 'procedure',
                                'immunization')),
  code          text not null,
  description   text not null,
  onset_on      date not null,
  resolved_on   date,
  foreign key (encounter_id, clinic_id, patient_id)
    references healthcare.encounters (id, clinic_id, patient_id)
);
create index if not exists medical_history_patient
  on healthcare.medical_history (patient_id, kind, onset_on);
create index if not exists medical_history_clinic
  on healthcare.medical_history (clinic_id, kind);
create index if not exists medical_history_encounter
  on healthcare.medical_history (encounter_id);
comment on table healthcare.medical_history is
  'Conditions, allergies, procedures and immunizations; an open condition
has no resolved_on.';

create table if not exists healthcare.prescriptions (
  id              uuid primary key,
  clinic_id       uuid not null references healthcare.clinics,
  patient_id      uuid not null references healthcare.patients,
  encounter_id    uuid not null,
  payer_id        uuid references healthcare.payers,
  code            text not null,
  drug            text not null,
  prescribed_at   timestamptz not null,
  ended_at        timestamptz,
  dispenses       integer not null default 1 check (dispenses >= 0),
  base_cost       numeric(12, 2) not null default 0,
  total_cost      numeric(12, 2) not null default 0,
  payer_coverage  numeric(12, 2) not null default 0,
  reason_code     text,
  reason          text,
  foreign key (encounter_id, clinic_id, patient_id)
    references healthcare.encounters (id, clinic_id, patient_id)
);
create index if not exists prescriptions_clinic_drug
  on healthcare.prescriptions (clinic_id, code);
create index if not exists prescriptions_patient
  on healthcare.prescriptions (patient_id, prescribed_at);
create index if not exists prescriptions_encounter
  on healthcare.prescriptions (encounter_id);
comment on table healthcare.prescriptions is
  'Drugs prescribed at an encounter; ended_at is empty while one is taken.';

create table if not exists healthcare.billing (
  id                     uuid primary key,
  clinic_id              uuid not null references healthcare.clinics,
  patient_id             uuid not null references healthcare.patients,
  encounter_id           uuid not null,
  doctor_id              uuid references healthcare.doctors,
  payer_id               uuid references healthcare.payers,
  status                 text not null,
  outstanding_payer      numeric(12, 2) not null default 0,
  outstanding_secondary  numeric(12, 2) not null default 0,
  outstanding_patient    numeric(12, 2) not null default 0,
  serviced_at            timestamptz not null,
  last_billed_at         timestamptz,
  foreign key (encounter_id, clinic_id, patient_id)
    references healthcare.encounters (id, clinic_id, patient_id)
);
create index if not exists billing_clinic_payer
  on healthcare.billing (clinic_id, payer_id);
create index if not exists billing_patient
  on healthcare.billing (patient_id);
create index if not exists billing_encounter
  on healthcare.billing (encounter_id);
comment on table healthcare.billing is
  'Claims: what insurers and patients still owe; payer_id is empty when the
patient pays.';

create table if not exists healthcare.devices (
  id            uuid primary key,
  clinic_id     uuid not null references healthcare.clinics,
  patient_id    uuid not null references healthcare.patients,
  encounter_id  uuid not null,
  code          text not null,
  description   text not null,
  udi           text not null,
  fitted_at     timestamptz not null,
  removed_at    timestamptz,
  foreign key (encounter_id, clinic_id, patient_id)
    references healthcare.encounters (id, clinic_id, patient_id)
);
create index if not exists devices_patient
  on healthcare.devices (patient_id);
create index if not exists devices_clinic
  on healthcare.devices (clinic_id);
comment on table healthcare.devices is
  'Devices fitted to patients, by their unique device identifier.';

create table if not exists healthcare.audit_log (
  id             bigint generated always as identity primary key,
  at             timestamptz not null default now(),
  user_id        uuid,
  clinic_id      uuid,
  action         text not null,
  resource_type  text not null,
  resource_id    text,
  outcome        text not null default 'SUCCESS'
                 check (outcome in ('SUCCESS', 'FAILURE', 'DENIED')),
  ip_address     inet,
  user_agent     text,
  description    text,
  metadata       jsonb not null default '{}'
);
create index if not exists audit_log_at on healthcare.audit_log (at);
create index if not exists audit_log_user on healthcare.audit_log (user_id, at);
create index if not exists audit_log_clinic
  on healthcare.audit_log (clinic_id, at);
create index if not exists audit_log_resource
  on healthcare.audit_log (resource_type, resource_id);
comment on table healthcare.audit_log is
  'Who did what to which record; no foreign keys, so that an entry outlives
what it speaks of.';
