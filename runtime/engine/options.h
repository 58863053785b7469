/* SPDX-License-Identifier: MIT
 *
 * options - the one table of everything that can be configured.
 *
 * The fields of struct config, the environment's names, the keys of
 * lunate.open{}, `lunate help config` and the README's table all come from
 * here; a new option is one row.
 *
 * X(key, TYPE, environment names, default, min, max, unit, section, meaning)
 *   key      field of struct config and key of lunate.open{}
 *   TYPE     BOOL, INT, TIME (ms inside), SIZE (bytes), TEXT, SECRET (a TEXT
 *            that is never shown), WORD (an enum), SWITCH (true, false or
 *            not said), FOLDER (a path, or false)
 *   names    comma-separated; all are accepted, the first one is shown
 *   default  as it would be written; "" = not set
 *   min, max of the number inside; of the length for texts
 *   unit     TIME: what a bare number counts; WORD: the words, in order
 * The order is that of the printed table; rows of a section stand together.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "quantity.h"

#define OPTION_LONG (36500 * QUANTITY_DAY)

/* clang-format off */
#define OPTIONS_SERVER(X) \
X(url, SECRET, "DATABASE_URL,LUNATE_URL", "", 1, 8192, "", "server", \
  "PostgreSQL to use: a postgres:// URL or libpq's keyword=value pairs") \
X(ssl, SWITCH, "DATABASE_SSL,LUNATE_SSL", "", 0, 1, "", "server", \
  "true: TLS is required, and the server's identity checked when there is a root certificate; false: no TLS; not set: as the URL says") \
X(ssl_root_cert, TEXT, "DATABASE_SSL_ROOT_CERT,LUNATE_SSL_ROOT_CERT", "", 1, 4096, "", "server", \
  "root certificate that vouches for the server; not set: ~/.postgresql/root.crt when it exists") \
X(schema, TEXT, "DATABASE_SCHEMA,LUNATE_SCHEMA", "healthcare", 1, 63, "", "server", \
  "schema of the application's tables; search_path is this one, then public") \
X(application_name, TEXT, "LUNATE_APPLICATION_NAME", "lunate", 1, 63, "", "server", \
  "name shown in pg_stat_activity; one in the URL goes before the default")

#define OPTIONS_POOL(X) \
X(pool_min, INT, "DB_POOL_MIN,LUNATE_POOL_MIN", "50", 0, 10000, "", "pool", \
  "connections opened up front and kept (run and repl: 0); never above pool_max") \
X(pool_max, INT, "DB_POOL_MAX,LUNATE_POOL_MAX", "500", 1, 10000, "", "pool", \
  "most connections to a server; lowered to what the server has left") \
X(acquire_timeout, TIME, "DB_POOL_ACQUIRE_TIMEOUT,LUNATE_ACQUIRE_TIMEOUT", "60000", 1, QUANTITY_DAY, "ms", "pool", \
  "longest wait for a connection of the pool") \
X(connect_timeout, TIME, "DB_POOL_CREATE_TIMEOUT,LUNATE_CONNECT_TIMEOUT", "30000", 1, QUANTITY_HOUR, "ms", "pool", \
  "longest time one login may take") \
X(idle_timeout, TIME, "DB_POOL_IDLE_TIMEOUT,LUNATE_IDLE_TIMEOUT", "300000", 0, QUANTITY_DAY * 30, "ms", "pool", \
  "idle connections above the target are closed after this; 0: never") \
X(max_lifetime, TIME, "LUNATE_MAX_LIFETIME", "30min", 0, QUANTITY_DAY * 365, "ms", "pool", \
  "age at which a connection is replaced, some jitter added; 0: never") \
X(max_uses, INT, "LUNATE_MAX_USES", "10000", 0, 1000000000, "", "pool", \
  "times a connection is lent, or given a group of reads or a write, after which it is replaced; 0: never") \
X(max_logins, INT, "LUNATE_MAX_LOGINS", "4", 1, 1000, "", "pool", \
  "logins going on at once, per server") \
X(queue_limit, INT, "LUNATE_QUEUE_LIMIT", "10000", 1, 10000000, "", "pool", \
  "operations that may wait for a connection; one more is refused at once") \
X(leak_threshold, TIME, "LUNATE_LEAK_THRESHOLD", "60s", 0, QUANTITY_DAY, "ms", "pool", \
  "a connection borrowed for longer is reported with the borrower's file and line; 0: never") \
X(validation_interval, TIME, "HEALTH_CHECK_INTERVAL,LUNATE_VALIDATION_INTERVAL", "30000", 0, QUANTITY_DAY, "ms", "pool", \
  "an idle connection is validated this often; 0: never") \
X(validation_timeout, TIME, "LUNATE_VALIDATION_TIMEOUT", "5000", 1, QUANTITY_HOUR, "ms", "pool", \
  "a connection that does not answer a validation by then is closed") \
X(health_interval, TIME, "LUNATE_HEALTH_INTERVAL", "15000", 100, QUANTITY_DAY, "ms", "pool", \
  "the pool's monitor looks at the server this often, on a connection of its own") \
X(prepared_per_connection, INT, "LUNATE_PREPARED_PER_CONNECTION", "256", 0, 100000, "", "pool", \
  "prepared statements kept on a connection, least recently used out first; 0: none") \
X(group_size, INT, "LUNATE_GROUP_SIZE", "16", 1, 256, "", "pool", \
  "most independent reads that share one Sync of the pipeline")

#define OPTIONS_LIMITS(X) \
X(read_timeout, TIME, "DB_QUERY_TIMEOUT,LUNATE_READ_TIMEOUT", "15s", 1, QUANTITY_DAY, "ms", "limits", \
  "longest time a read may take") \
X(write_timeout, TIME, "LUNATE_WRITE_TIMEOUT", "30s", 1, QUANTITY_DAY, "ms", "limits", \
  "longest time a write may take") \
X(critical_timeout, TIME, "LUNATE_CRITICAL_TIMEOUT", "60s", 1, QUANTITY_DAY, "ms", "limits", \
  "longest time an operation of class critical may take") \
X(max_result_bytes, SIZE, "LUNATE_MAX_RESULT_BYTES", "64MB", 1024, INT64_C(1) << 40, "", "limits", \
  "largest result that is held in memory; larger ones are refused, or streamed with db:rows") \
X(transaction_retries, INT, "LUNATE_TRANSACTION_RETRIES", "3", 0, 100, "", "limits", \
  "times a transaction is run again after a serialization failure or deadlock") \
X(slow_query_threshold, TIME, "SLOW_QUERY_THRESHOLD,LUNATE_SLOW_QUERY_THRESHOLD", "1000", 1, QUANTITY_DAY, "ms", "limits", \
  "a statement that took longer is logged as slow") \
X(critical_query_threshold, TIME, "CRITICAL_QUERY_THRESHOLD,LUNATE_CRITICAL_QUERY_THRESHOLD", "5000", 1, QUANTITY_DAY, "ms", "limits", \
  "a statement that took longer raises an alert") \
X(circuit_breaker_timeout, TIME, "CIRCUIT_BREAKER_TIMEOUT,DB_CIRCUIT_BREAKER_TIMEOUT", "30000", 1, QUANTITY_DAY, "ms", "limits", \
  "rest of an open circuit breaker before the server is tried again")

#define OPTIONS_BATCH(X) \
X(batch_size, INT, "DB_BATCH_SIZE,LUNATE_BATCH_SIZE", "2000", 1, 1000000, "", "batch", \
  "items in one chunk of the pipeline") \
X(batch_concurrency, INT, "LUNATE_BATCH_CONCURRENCY", "50", 1, 10000, "", "batch", \
  "operations of a batch that run at once") \
X(parallel_queries, INT, "DB_PARALLEL_QUERIES,LUNATE_PARALLEL_QUERIES", "20", 1, 10000, "", "batch", \
  "statements that one request may have under way at once")

#define OPTIONS_REPLICAS(X) \
X(read_replicas_enabled, BOOL, "DB_READ_REPLICAS_ENABLED,LUNATE_READ_REPLICAS_ENABLED", "true", 0, 1, "", "replicas", \
  "reads may go to the servers of READ_REPLICA_URLS") \
X(read_replica_urls, SECRET, "READ_REPLICA_URLS,LUNATE_READ_REPLICA_URLS", "", 1, 65536, "", "replicas", \
  "read replicas, separated by commas; what a URL does not say it takes from DATABASE_URL") \
X(load_balancing, WORD, "DB_LOAD_BALANCING,LUNATE_LOAD_BALANCING", "round-robin", 0, 0, "round-robin|least-connections|latency-based|random", "replicas", \
  "how a replica is chosen for a read") \
X(failover, BOOL, "DB_FAILOVER,LUNATE_FAILOVER", "true", 0, 1, "", "replicas", \
  "reads go to the primary when no replica can take them") \
X(replica_pool_min, INT, "LUNATE_REPLICA_POOL_MIN", "25", 0, 10000, "", "replicas", \
  "as pool_min, for each replica") \
X(replica_pool_max, INT, "LUNATE_REPLICA_POOL_MAX", "200", 1, 10000, "", "replicas", \
  "as pool_max, for each replica")

#define OPTIONS_CACHE(X) \
X(cache_enabled, BOOL, "CACHE_ENABLED,LUNATE_CACHE_ENABLED", "true", 0, 1, "", "cache", \
  "results of reads may be cached") \
X(cache_ttl, TIME, "CACHE_TTL,LUNATE_CACHE_TTL", "300", 1000, QUANTITY_DAY * 365, "s", "cache", \
  "how long a result stays fresh when no policy names its tables") \
X(cache_max_size, INT, "CACHE_MAX_SIZE,LUNATE_CACHE_MAX_SIZE", "100000", 1, 100000000, "", "cache", \
  "most entries of the cache in memory") \
X(cache_policy, WORD, "LUNATE_CACHE_POLICY", "s3fifo", 0, 0, "s3fifo|lru", "cache", \
  "which entry leaves a full cache") \
X(redis_url, SECRET, "REDIS_URL,LUNATE_REDIS_URL", "", 1, 4096, "", "cache", \
  "Redis for the shared tier of the cache; not set: memory only")

#define OPTIONS_SCALING(X) \
X(auto_scaling_enabled, BOOL, "DB_AUTO_SCALING_ENABLED,LUNATE_AUTO_SCALING_ENABLED", "true", 0, 1, "", "scaling", \
  "the number of connections follows the load, between pool_min and pool_max") \
X(auto_scaling_cpu_threshold, INT, "DB_AUTO_SCALING_CPU_THRESHOLD,LUNATE_AUTO_SCALING_CPU_THRESHOLD", "75", 1, 100, "", "scaling", \
  "per cent of CPU above which no connections are added") \
X(auto_scaling_connection_threshold, INT, "DB_AUTO_SCALING_CONNECTION_THRESHOLD,LUNATE_AUTO_SCALING_CONNECTION_THRESHOLD", "400", 1, 10000, "", "scaling", \
  "connections that raise an alert; not set: 80 % of pool_max") \
X(scale_up_cooldown, TIME, "LUNATE_SCALE_UP_COOLDOWN", "5min", 0, QUANTITY_DAY, "ms", "scaling", \
  "shortest time between two raises of the target") \
X(scale_down_cooldown, TIME, "LUNATE_SCALE_DOWN_COOLDOWN", "30min", 0, QUANTITY_DAY, "ms", "scaling", \
  "shortest time between two cuts of the target")

#define OPTIONS_GUARD(X) \
X(policies, FOLDER, "LUNATE_POLICIES", "", 1, 4096, "", "guard", \
  "folder of the policy files; not set: ./policies when there are some; false: isolation is off on purpose") \
X(policies_max_stale, TIME, "LUNATE_POLICIES_MAX_STALE", "1d", 1000, OPTION_LONG, "ms", "guard", \
  "how long old rules stay in force while the policy folder is broken; then tables are closed") \
X(seal_key_file, TEXT, "LUNATE_SEAL_KEY_FILE", "", 1, 4000, "", "guard", \
  "file of the key that seals contexts in the session (isolation.lua: seal); mode 600") \
X(policy_confirm, WORD, "LUNATE_POLICY_CONFIRM", "off", 0, 0, "off|widening", "guard", \
  "widening: a saved change of guard files that may allow more is held until lunate policy accept") \
X(system_url, SECRET, "LUNATE_SYSTEM_URL", "", 1, 8192, "", "guard", \
  "lets db:as_system work, with connections of this URL; what it does not say it takes from DATABASE_URL") \
X(system_role, TEXT, "LUNATE_SYSTEM_ROLE", "", 1, 63, "", "guard", \
  "lets db:as_system work, with connections that take this role") \
X(system_pool_max, INT, "LUNATE_SYSTEM_POOL_MAX", "10", 1, 10000, "", "guard", \
  "most connections for db:as_system, beside those of pool_max") \
X(raw, BOOL, "LUNATE_RAW", "false", 0, 1, "", "guard", \
  "lets db:raw work: past cache and optimizer, never past isolation") \
X(break_glass_journal, TEXT, "LUNATE_BREAK_GLASS_JOURNAL", "", 1, 4096, "", "guard", \
  "file in which each opening of db:break_glass stands before it opens; not set: break_glass.jsonl in state_dir") \
X(audit_retention, TIME, "AUDIT_RETENTION_DAYS,LUNATE_AUDIT_RETENTION", "2555", QUANTITY_DAY, OPTION_LONG, "d", "guard", \
  "no audit record younger than this is ever removed, whatever a policy says") \
X(encryption_enabled, BOOL, "ENCRYPTION_ENABLED,LUNATE_ENCRYPTION_ENABLED", "true", 0, 1, "", "guard", \
  "fields that a policy seals are encrypted") \
X(encryption_algorithm, WORD, "ENCRYPTION_ALGORITHM,LUNATE_ENCRYPTION_ALGORITHM", "AES-256-GCM", 0, 0, "AES-256-GCM", "guard", \
  "cipher of sealed fields") \
X(encryption_key_rotation, TIME, "ENCRYPTION_KEY_ROTATION_DAYS,LUNATE_ENCRYPTION_KEY_ROTATION", "90", QUANTITY_DAY, OPTION_LONG, "d", "guard", \
  "age at which a key should be replaced by a new one")

#define OPTIONS_RUNTIME(X) \
X(workers, INT, "LUNATE_WORKERS", "1", 1, 256, "", "runtime", \
  "threads of a C host's runtime, each with its own loop and connections; a script says --workers") \
X(busy_poll, INT, "LUNATE_BUSY_POLL", "0", 0, 10000, "us", "runtime", \
  "how long a loop looks for answers before it sleeps; shortens a lone query, takes a whole processor; 0: never, as on a machine with one") \
X(drain_timeout, TIME, "LUNATE_DRAIN_TIMEOUT", "30s", 0, QUANTITY_HOUR, "ms", "runtime", \
  "how long closing waits for operations under way") \
X(state_dir, TEXT, "LUNATE_STATE_DIR", "", 1, 4096, "", "runtime", \
  "folder of control sockets and the dev server; not set: lunate in the user's state directory") \
X(control_socket, BOOL, "LUNATE_CONTROL_SOCKET", "true", 0, 1, "", "runtime", \
  "other lunate commands may ask this runtime through a socket of mode 0600") \
X(log_level, WORD, "LUNATE_LOG_LEVEL", "info", 0, 0, "debug|info|warn|error", "runtime", \
  "least severe message that is logged") \
X(log_format, WORD, "LUNATE_LOG_FORMAT", "text", 0, 0, "text|json", "runtime", \
  "form of a line of the log")

#define OPTIONS(X) \
	OPTIONS_SERVER(X) OPTIONS_POOL(X) OPTIONS_LIMITS(X) OPTIONS_BATCH(X) \
	OPTIONS_REPLICAS(X) OPTIONS_CACHE(X) OPTIONS_SCALING(X) \
	OPTIONS_GUARD(X) OPTIONS_RUNTIME(X)
/* clang-format on */

#endif
