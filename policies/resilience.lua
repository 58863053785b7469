-- What is tried again, and how long is waited before it.
--
-- In force.  Only what left nothing behind is tried again: a read whose
-- connection died, a write that never left, a statement or transaction that the
-- server broke off because of another one (serialization failure, deadlock).
-- A write of unknown outcome never is: it comes back as `in_doubt`.
--
-- The time limits of classes are options (DB_QUERY_TIMEOUT and its kin).

-- A form that does not come up is asked for again by hand, so reads may try.
class "read"     { retries = 3 }
class "write"    { retries = 2 }

-- Emergencies: rather late than never.
class "critical" { retries = 5 }

-- Waits double from `base` to `cap`, and are shortened by chance, so that those
-- who collided do not collide again.
retry { base = milliseconds(20), cap = seconds(2) }
