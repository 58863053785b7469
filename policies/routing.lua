-- Which server a read goes to: the primary, or a replica and how old its rows
-- may be.
--
-- No effect yet in this version: DATABASE_URL is the one server.  What stands
-- here is checked with every save, so that it is in order on the day it counts.
--
-- A write goes to the primary, and so does a read that may not miss what was
-- written a moment ago.

default               { to = "replica", max_lag = seconds(5) }

-- Changes once in a while; a replica that is a minute behind is as good.
route "clinics"       { to = "replica", max_lag = minutes(1) }
route "locations"     { to = "replica", max_lag = minutes(1) }
route "payers"        { to = "replica", max_lag = minutes(1) }

-- What somebody acts on at once is read where it is written.
route "emergencies"   { to = "primary" }
route "prescriptions" { to = "primary" }
