-- When somebody is called.
--
-- No effect yet in this version: the metrics are counted (`lunate help
-- metrics`) and nobody is called.  What stands here is checked with every save,
-- so that it is in order on the day it counts.

-- ---- connections

alert "pool is busy"           { metric = "utilization", above = 0.80,
                                 for_ = seconds(30) }
alert "pool is near its end"   { metric = "utilization", above = 0.95,
                                 severity = "critical" }
alert "many connections"       { metric = "active", above = 400 }
alert "operations wait"        { metric = "waiting", above = 0,
                                 for_ = seconds(15) }

-- ---- statements

alert "slow on average"        { metric = "average_query_time", above = 1000,
                                 for_ = minutes(1) }
alert "a statement took 5 s"   { metric = "critical_queries", above = 0,
                                 severity = "critical" }
alert "one in twenty fails"    { metric = "error_rate", above = 0.05 }
alert "one in ten fails"       { metric = "error_rate", above = 0.10,
                                 severity = "critical" }

-- ---- the rest of the house

alert "cache misses a lot"     { metric = "cache_hit_rate", below = 0.70,
                                 for_ = minutes(1), severity = "info" }
alert "replicas are behind"    { metric = "replica_lag", above = 10 }
alert "the breaker opened"     { metric = "circuit_breaker_trips", above = 0,
                                 severity = "critical" }

-- One is enough to look into.
alert "somebody was refused"   { metric = "unauthorized_attempts", above = 0,
                                 severity = "critical" }
