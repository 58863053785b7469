-- How long a result may be served again, by the tables it came from.
--
-- No effect yet in this version: there is no cache.  What stands here is
-- checked with every save, so that it is in order on the day it counts.
--
-- `fresh` is how long a result is served as it is, `stale` how much longer
-- while a new one is fetched.  Of several tables the shortest time counts.

default               { fresh = minutes(5),  stale = minutes(1) }

-- Hardly ever changes, and is asked with every request.
serve "clinics"       { fresh = hours(1),    stale = minutes(5) }
serve "locations"     { fresh = hours(1),    stale = minutes(5) }
serve "payers"        { fresh = hours(1),    stale = minutes(5) }

-- Names and addresses: half an hour old is good enough to ring somebody up.
serve "patients"      { fresh = minutes(30), stale = minutes(1),
                        tags = { "patients" } }

-- A day's list changes while it is read out.
serve "appointments"  { fresh = minutes(5),  stale = seconds(30),
                        tags = { "appointments" } }

-- Somebody acts on it at once: never an old answer.
serve "emergencies"   { fresh = minutes(1),  stale = seconds(0),
                        share = false }
