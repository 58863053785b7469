-- What may be changed in a statement to make it cheaper, and what is only
-- advised.
--
-- No effect yet in this version: statements run as they are written.  What
-- stands here is checked with every save, so that it is in order on the day it
-- counts.
--
-- `star` is what becomes of "select *", `limit` how many rows a statement
-- without LIMIT gives at most, `slow` from when a statement is looked at.

-- Nothing changes a result unasked: columns are recommended.
default                   { star = "recommend", slow = seconds(1) }

-- Grown for years: nobody reads a thousand of them.
optimize "encounters"     { star = "recommend", limit = 1000 }
optimize "billing"        { star = "recommend", limit = 1000 }

-- A history or a list of drugs that ends early is worse than a slow one: no
-- limit here.
optimize "medical_history" { star = "off", slow = seconds(5) }
optimize "prescriptions"   { star = "off", slow = seconds(5) }
