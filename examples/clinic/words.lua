-- SPDX-License-Identifier: MIT
--
-- words - what the generator makes its people and clinics of.  The codes are
-- SNOMED CT and RxNorm codes as Synthea uses them; nobody here is real.

local words = {}

words.first_female = { "Ada", "Amélie", "Beatriz", "Chloé", "Dalia", "Edith",
  "Farida", "Grace", "Hana", "Inés", "Joan", "Kiran", "Leila", "Maren",
  "Noor", "Olga", "Petra", "Rosalind", "Sofía", "Tu", "Ursula", "Wren" }

words.first_male = { "Alan", "Björn", "Carlos", "Dmitri", "Edgar", "Farid",
  "Gábor", "Haruki", "Ivan", "José", "Kofi", "Linus", "Marek", "Niklaus",
  "Oskar", "Pavel", "Ravi", "Søren", "Tobias", "Víctor", "Walter", "Youssef" }

words.last = { "Abara", "Bergström", "Chen", "D'Angelo", "Eriksen", "Fischer",
  "García", "Hopper", "Ibrahim", "Jansen", "Kowalski", "Liskov", "Müller",
  "Nakamura", "O'Brien", "Perlman", "Quinn", "Rossi", "Sørensen", "Turing",
  "Ueda", "Vargas", "Wirth", "Xu", "Yilmaz", "Zuse" }

words.streets = { "Mill Road", "Park Street", "Harbour Way", "Elm Avenue",
  "Station Lane", "Church Hill", "Canal Row", "Orchard Close" }

words.cities = {
  { "Boston", "Suffolk County", "02108" },
  { "Worcester", "Worcester County", "01608" },
  { "Springfield", "Hampden County", "01103" },
  { "Lowell", "Middlesex County", "01852" },
  { "Cambridge", "Middlesex County", "02138" },
  { "Brockton", "Plymouth County", "02301" },
  { "Quincy", "Norfolk County", "02169" },
  { "Lynn", "Essex County", "01901" },
  { "Fall River", "Bristol County", "02720" },
  { "Barnstable", "Barnstable County", "02630" },
}

words.clinic_kinds = { "Community Health Center", "General Hospital",
  "Family Practice", "Medical Group", "Walk-in Clinic" }

words.specialities = { "GENERAL PRACTICE", "FAMILY PRACTICE",
  "INTERNAL MEDICINE", "EMERGENCY MEDICINE", "NURSE PRACTITIONER",
  "PSYCHIATRY" }

words.payers = { "Medicare", "Medicaid", "Humana", "Blue Cross Blue Shield",
  "UnitedHealthcare", "Aetna", "Cigna Health", "Anthem", "NO_INSURANCE" }

words.races = { { "white", 70 }, { "black", 10 }, { "asian", 10 },
  { "hawaiian", 2 }, { "native", 2 }, { "other", 6 } }

-- Class, code, description, cost and least minutes of a visit; its weight.
words.visits = {
  { { "wellness", "162673000", "General examination of patient (procedure)",
      136.80, 15 }, 40 },
  { { "ambulatory", "185345009", "Encounter for symptom", 85.55, 10 },
    25 },
  { { "ambulatory", "185347001", "Encounter for problem, follow-up", 85.55,
    10 }, 10 },
  { { "outpatient", "390906007", "Follow-up encounter", 142.58, 15 },
    12 },
  { { "urgentcare", "702927004", "Urgent care clinic (procedure)", 142.58,
    20 }, 4 },
  { { "emergency", "50849002", "Emergency room admission (procedure)",
      146.18, 60 }, 6 },
  { { "inpatient", "185347001", 'Encounter for problem, "inpatient"',
      146.18, 720 }, 3 },
}

words.chronic = {
  { "59621000", "Hypertension" },
  { "44054006", "Diabetes mellitus type 2 (disorder)" },
  { "55822004", "Hyperlipidemia" },
  { "195967001", "Asthma" },
  { "53741008", "Coronary Heart Disease" },
  { "185086009", "Chronic obstructive bronchitis (disorder)" },
  { "431855005", "Chronic kidney disease stage 1 (disorder)" },
  { "82423001", "Chronic pain" },
}

words.acute = {
  { "195662009", "Acute viral pharyngitis (disorder)" },
  { "444814009", "Viral sinusitis (disorder)" },
  { "10509002", "Acute bronchitis (disorder)" },
  { "44465007", "Sprain of ankle" },
  { "62106007", "Concussion with no loss of consciousness" },
  { "271737000", "Anemia (disorder)" },
  { "72892002", "Normal pregnancy" },
}

words.procedures = {
  { "430193006", "Medication Reconciliation (procedure)", 735.40 },
  { "428211000124100", "Assessment of substance use (procedure)", 516.65 },
  { "171207006", "Depression screening (procedure)", 431.40 },
  { "710824005", "Assessment of health and social care needs (procedure)",
    431.40 },
}

words.drugs = {
  { "314076", "lisinopril 10 MG Oral Tablet", 8.51 },
  { "310798", "Hydrochlorothiazide 25 MG Oral Tablet", 11.36 },
  { "308136", "amLODIPine 2.5 MG Oral Tablet", 26.05 },
  { "314231", "Simvastatin 10 MG Oral Tablet", 12.20 },
  { "860975", "24 HR Metformin hydrochloride 500 MG Oral Tablet", 9.48 },
  { "745752", "NDA020503 200 ACTUAT Albuterol 0.09 MG/ACTUAT Inhaler",
    61.66 },
  { "209387", "Acetaminophen 325 MG Oral Tablet [Tylenol]", 5.25 },
  { "834061", "Penicillin V Potassium 250 MG Oral Tablet", 6.82 },
}

-- The header of each file, as Synthea writes it; appointments.csv is ours.
words.headers = {
  organizations = "Id,NAME,ADDRESS,CITY,STATE,ZIP,LAT,LON,PHONE,REVENUE,"
    .. "UTILIZATION",
  payers = "Id,NAME,ADDRESS,CITY,STATE_HEADQUARTERED,ZIP,PHONE,"
    .. "AMOUNT_COVERED,AMOUNT_UNCOVERED,REVENUE,COVERED_ENCOUNTERS,"
    .. "UNCOVERED_ENCOUNTERS,COVERED_MEDICATIONS,UNCOVERED_MEDICATIONS,"
    .. "COVERED_PROCEDURES,UNCOVERED_PROCEDURES,COVERED_IMMUNIZATIONS,"
    .. "UNCOVERED_IMMUNIZATIONS,UNIQUE_CUSTOMERS,QOLS_AVG,MEMBER_MONTHS",
  providers = "Id,ORGANIZATION,NAME,GENDER,SPECIALITY,ADDRESS,CITY,STATE,ZIP,"
    .. "LAT,LON,UTILIZATION",
  patients = "Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,LAST,"
    .. "SUFFIX,MAIDEN,MARITAL,RACE,ETHNICITY,GENDER,BIRTHPLACE,ADDRESS,CITY,"
    .. "STATE,COUNTY,ZIP,LAT,LON,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE",
  encounters = "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,"
    .. "ENCOUNTERCLASS,CODE,DESCRIPTION,BASE_ENCOUNTER_COST,"
    .. "TOTAL_CLAIM_COST,PAYER_COVERAGE,REASONCODE,REASONDESCRIPTION",
  conditions = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION",
  procedures = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST,"
    .. "REASONCODE,REASONDESCRIPTION",
  medications = "START,STOP,PATIENT,PAYER,ENCOUNTER,CODE,DESCRIPTION,"
    .. "BASE_COST,PAYER_COVERAGE,DISPENSES,TOTALCOST,REASONCODE,"
    .. "REASONDESCRIPTION",
  claims = "Id,PATIENTID,PROVIDERID,PRIMARYPATIENTINSURANCEID,"
    .. "SECONDARYPATIENTINSURANCEID,DEPARTMENTID,PATIENTDEPARTMENTID,"
    .. "DIAGNOSIS1,DIAGNOSIS2,DIAGNOSIS3,DIAGNOSIS4,DIAGNOSIS5,DIAGNOSIS6,"
    .. "DIAGNOSIS7,DIAGNOSIS8,REFERRINGPROVIDERID,APPOINTMENTID,"
    .. "CURRENTILLNESSDATE,SERVICEDATE,SUPERVISINGPROVIDERID,STATUS1,STATUS2,"
    .. "STATUSP,OUTSTANDING1,OUTSTANDING2,OUTSTANDINGP,LASTBILLEDDATE1,"
    .. "LASTBILLEDDATE2,LASTBILLEDDATEP,HEALTHCARECLAIMTYPEID1,"
    .. "HEALTHCARECLAIMTYPEID2",
  appointments = "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,STATUS,REASON",
}

return words
