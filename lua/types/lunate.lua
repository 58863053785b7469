---@meta lunate
-- What editors know of `require "lunate"`.  Nothing here runs; a test holds it
-- against the module itself.

---@alias lunate.Code
---| "invalid" | "config" | "connect_failed" | "auth_failed" | "pool_exhausted"
---| "deadline" | "cancelled" | "connection_lost" | "in_doubt" | "syntax"
---| "parameters" | "value" | "constraint" | "conflict" | "denied" | "undefined"
---| "read_only" | "query_failed" | "transaction" | "too_big" | "closed"
---| "unsupported" | "resources" | "server_failed" | "breaker_open" | "forked"
---| "io" | "no_memory" | "busy" | "internal" | "script"

---@class lunate.Error
---@field code lunate.Code
---@field message string cause and remedy, without values
---@field reason string? of "denied": why a statement is refused
---@field sqlstate string? five characters of the server
---@field retryable boolean the same call may succeed later as it is
---@field constraint string? the constraint that refused
---@field position integer? where it is: character of the statement, from 1
---@field traceback string? where a Lua error was raised

---Options of lunate.open; what is not given comes from the environment.
---`lunate help config` says what each is.
---@class lunate.OpenOptions
---@field url string?
---@field ssl boolean?
---@field ssl_root_cert string?
---@field schema string?
---@field application_name string?
---@field pool_min integer?
---@field pool_max integer?
---@field acquire_timeout number|string?
---@field connect_timeout number|string?
---@field idle_timeout number|string?
---@field max_lifetime number|string?
---@field max_uses integer?
---@field max_logins integer?
---@field queue_limit integer?
---@field leak_threshold number|string?
---@field validation_interval number|string?
---@field validation_timeout number|string?
---@field health_interval number|string?
---@field prepared_per_connection integer?
---@field group_size integer?
---@field read_timeout number|string?
---@field write_timeout number|string?
---@field critical_timeout number|string?
---@field max_result_bytes number|string?
---@field transaction_retries integer?
---@field slow_query_threshold number|string?
---@field critical_query_threshold number|string?
---@field circuit_breaker_timeout number|string?
---@field batch_size integer?
---@field batch_concurrency integer?
---@field parallel_queries integer?
---@field read_replicas_enabled boolean?
---@field read_replica_urls string?
---@field load_balancing string?
---@field failover boolean?
---@field replica_pool_min integer?
---@field replica_pool_max integer?
---@field cache_enabled boolean?
---@field cache_ttl number|string?
---@field cache_max_size integer?
---@field cache_policy string?
---@field redis_url string?
---@field auto_scaling_enabled boolean?
---@field auto_scaling_cpu_threshold integer?
---@field auto_scaling_connection_threshold integer?
---@field scale_up_cooldown number|string?
---@field scale_down_cooldown number|string?
---@field policies string|false?
---@field policies_max_stale number|string?
---@field policy_confirm "off"|"widening"?
---@field system { role: string?, url: string? }?
---@field seal_key_file string?
---@field system_url string?
---@field system_role string?
---@field system_pool_max integer?
---@field break_glass_journal string? default break_glass.jsonl in state_dir
---@field raw boolean?
---@field audit_retention number|string?
---@field encryption_enabled boolean?
---@field encryption_algorithm string?
---@field encryption_key_rotation number|string?
---@field workers integer?
---@field busy_poll integer?
---@field drain_timeout number|string?
---@field state_dir string?
---@field control_socket boolean?
---@field log_level string?
---@field log_format string?

---@alias lunate.Priority "critical"|"high"|"normal"|"low"

---Options of one call, before its SQL text.
---@class lunate.CallOptions
---@field timeout number? seconds
---@field priority lunate.Priority?
---@field class "read"|"write"|"critical"|nil
---@field read_only boolean? refuse what is no read
---@field nulls boolean? NULL as lunate.null, not absent
---@field positional boolean? row[1..n] beside the names
---@field int8 "number"|"int64"|"string"|nil
---@field numeric "string"|"number"|nil
---@field json "table"|"string"|nil

---Who asks; laid over the context in force.
---@class lunate.Context
---@field tenant string|number|(string|number)[]|nil
---@field user string?
---@field roles string[]?
---@field location string?
---@field locations string[]? where the user works
---@field clinic_tz string? time zone of the clinic, "Europe/Berlin"
---@field ip string?
---@field device string?
---@field purpose string?
---@field trace string?
---@field audit lunate.Audit?

---What a write is done for.
---@class lunate.Audit
---@field user_id string
---@field action string? this, or operation
---@field operation string?
---@field resource_type string
---@field resource_id string?
---@field user_role string?
---@field metadata table?

---@class lunate.TransactionOptions
---@field isolation "read committed"|"repeatable read"|"serializable"|nil
---@field read_only boolean?
---@field deferrable boolean?
---@field critical boolean? the time limit of class critical
---@field retries integer? 3: of serialization failures and deadlocks
---@field timeout number? seconds, for all of it

---@class lunate.Operation
---@field operation fun(client: lunate.Client): any, lunate.Error?
---@field priority lunate.Priority?

---@class lunate.BatchOptions
---@field concurrency integer? 50
---@field retries integer? 3

---@class lunate.BatchResult
---@field success boolean
---@field successful any[] results, in the order of the operations
---@field failed { error: lunate.Error, index: integer }[]
---@field total_count integer
---@field success_count integer
---@field failure_count integer
---@field total_execution_time number ms
---@field average_execution_time number ms
---@field success_rate number per cent

---@class lunate.Event
---@field eventId string
---@field eventType string
---@field category "DATABASE"
---@field priority "CRITICAL"|"HIGH"|"NORMAL"
---@field timestamp string UTC, with milliseconds
---@field source string the application's name
---@field version string
---@field correlationId string
---@field traceId string? the trace of the context of the operation
---@field payload table

---@class lunate.Health
---@field is_healthy boolean
---@field connection_count integer 0 when the check failed
---@field active_queries integer
---@field avg_response_time number ms; -1 when the check failed
---@field last_health_check number seconds since 1970
---@field errors string[]

---@class lunate.Rows: table[]
---@field n integer how many

---@class lunate.Parameter what json, array and bytea give

---A statement with its options; st(...) is st:query(...).
---@class lunate.Statement
---@overload fun(...): lunate.Rows?, lunate.Error?
local Statement = {}

---@param ... any values of $1, $2, ...
---@return lunate.Rows? rows, lunate.Error? err
function Statement:query(...) end

---@param ... any
---@return integer? affected, lunate.Error? err
function Statement:exec(...) end

---@param ... any
---@return table? row, lunate.Error? err
function Statement:one(...) end

---A database seen through something: read only, one clinic, a transaction.
---@class lunate.Client
local Client = {}

---All rows.
---@param sql string
---@param ... any values of $1, $2, ...
---@return lunate.Rows? rows, lunate.Error? err
---@overload fun(self, options: lunate.CallOptions, sql: string, ...): lunate.Rows?, lunate.Error?
function Client:query(sql, ...) end

---How many rows were changed.
---@param sql string
---@param ... any
---@return integer? affected, lunate.Error? err
---@overload fun(self, options: lunate.CallOptions, sql: string, ...): integer?, lunate.Error?
function Client:exec(sql, ...) end

---The only row; nil, nil when there is none.
---@param sql string
---@param ... any
---@return table? row, lunate.Error? err
---@overload fun(self, options: lunate.CallOptions, sql: string, ...): table?, lunate.Error?
function Client:one(sql, ...) end

---@param sql string
---@return lunate.Statement
---@overload fun(self, options: lunate.CallOptions, sql: string): lunate.Statement
function Client:prepare(sql) end

---An iterator over a result of any size; a failure inside the loop raises.
---@param sql string
---@param ... any
---@return fun(): table?
---@overload fun(self, options: lunate.CallOptions, sql: string, ...): fun(): table?
function Client:rows(sql, ...) end

---COPY ... FROM STDIN.
---@param sql string
---@param source string|string[]|fun(): string?
---@return integer? rows, lunate.Error? err
function Client:copy_in(sql, source) end

---COPY ... TO STDOUT.
---@param sql string
---@param sink fun(bytes: string)?
---@return string|integer|nil all_or_rows, lunate.Error? err
function Client:copy_out(sql, sink) end

---@class lunate.Transaction: lunate.Client
local Transaction = {}

---A cursor: other statements may run in the loop.
---@param sql string
---@param ... any
---@return fun(): table?
---@overload fun(self, options: lunate.CallOptions, sql: string, ...): fun(): table?
function Transaction:rows(sql, ...) end

---A savepoint; what fails inside is undone up to here.
---@param fn fun(tx: lunate.Transaction): ...
---@return any ...
function Transaction:transaction(fn) end

---@class lunate.Database: lunate.Client
local Database = {}

---fn(client), where client only reads.
---@param fn fun(client: lunate.Client): ...
---@param options lunate.CallOptions?
---@return any ...
function Database:read(fn, options) end

---fn(client) in a transaction, with who does what carried along.
---@param fn fun(client: lunate.Transaction): ...
---@param audit lunate.Audit
---@return any ...
function Database:write(fn, audit) end

---BEGIN, fn(tx), COMMIT.
---@param fn fun(tx: lunate.Transaction): ...
---@param options lunate.TransactionOptions?
---@return any ...
function Database:transaction(fn, options) end

---Many operations, some at a time; one that fails stops no other.
---@param ops lunate.Operation[]
---@param options lunate.BatchOptions?
---@return lunate.BatchResult? result, lunate.Error? err
function Database:batch(ops, options) end

---@param ctx lunate.Context
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:with_context(ctx, fn) end

---@param id string|number|(string|number)[]
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:with_tenant(id, fn) end

---@param id string|number|(string|number)[]
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:with_clinic(id, fn) end

---The active clinic meant, nil when there is none; of a user, all of them.
---@param want { id: string?, subdomain: string?, location: string?, user: string? }
---@return string|string[]|nil clinic, lunate.Error? err
function Database:resolve_clinic(want) end

---Forgets what resolve_clinic keeps.
function Database:forget_clinics() end

---As the system, which is no tenant's; takes a capability of lunate.open.
---@param reason string
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:as_system(reason, fn) end

---An emergency: a break_glass rule of access.lua, whose rows, and why, in three
---words or more.
---@class lunate.BreakGlass
---@field rule string
---@field patient string|number
---@field reason string

---In an emergency: opens the rows of one patient, for the rule's time from the
---first statement on. The context has a user and one tenant.
---@generic T
---@param glass lunate.BreakGlass
---@param fn fun(client: lunate.Client): T?, ...
---@return T?, ...
function Database:break_glass(glass, fn) end

---What would become of a statement.
---@class lunate.Explanation
---@field verdict "open"|"scoped"|"refused"
---@field reason string? refused: the word of the reason
---@field message string? refused: why, and what to do
---@field kind string "select", "insert", ...
---@field nparams integer parameters of the statement itself
---@field tables { schema: string?, name: string, read: boolean, written: boolean, rule: table? }[]
---@field functions string[]
---@field text string? what is sent, when it is another text
---@field tenant_param integer? which parameter of it the tenant is
---@field limit_params integer? how many values of access rules follow
---@field uses { action: string, on: string, columns: string[] }[] what access rules are asked
---@field access table[] their answers, as `lunate why --json`
---@field route { class: string, session: string, read: boolean, shared: boolean }?
---@field isolation "off"|"closed"|"on"
---@field mode "both"|"rewrite"|"rls"|nil
---@field access_rules boolean is there an access.lua?
---@field generation integer

---Decided as an operation is, for whoever asks here, and not run.
---@param sql string
---@return lunate.Explanation? explanation, lunate.Error? err
function Database:explain(sql) end

---Past cache and optimizer; takes a capability of lunate.open.
---@return lunate.Client? client, lunate.Error? err
function Database:raw() end

---Several statements in order, in one session.
---@param text string
---@return integer? count, lunate.Error? err
function Database:script(text) end

---fn(envelope) in a task of its own; "*" stands for all events.
---@param event string
---@param fn fun(envelope: lunate.Event)
---@return fun() off ends it
function Database:on(event, fn) end

---@return lunate.Health? report, lunate.Error? err
function Database:health() end

---@return table<string, number|boolean>
function Database:pool_metrics() end

---No new work; waits for what runs, 30 s unless told.
---@param seconds number?
---@return true
function Database:close(seconds) end

---@class lunate.Task
local Task = {}

---Waits; what its function returned, or nil, err.
---@return any ...
function Task:join() end

---Whatever it waits for ends with `cancelled`.
---@return boolean was_running
function Task:cancel() end

---@return "running"|"done"
function Task:status() end

---@class lunate
---@field version string
---@field null userdata SQL NULL
---@field defaults lunate.OpenOptions what open() starts from
---@field worker integer? in `lunate run`: which thread, from 0
---@field workers integer? in `lunate run`: how many
local lunate = {}

---Does not wait for the server.
---@param options lunate.OpenOptions?
---@return lunate.Database? db, lunate.Error? err
function lunate.open(options) end

---@param fn function
---@param ... any its arguments
---@return lunate.Task
function lunate.spawn(fn, ...) end

---The first result of each; the first failure cancels the others.
---@param ... fun(): any, lunate.Error?
---@return any ...
function lunate.all(...) end

---@param seconds number
---@return true? ok, lunate.Error? err
function lunate.sleep(seconds) end

---Lets other tasks run.
---@return true? ok, lunate.Error? err
function lunate.pause() end

---Everything inside inherits the deadline.
---@param seconds number
---@param fn function
---@return any ...
function lunate.deadline(seconds, fn, ...) end

---fn runs when the current task ends, however it ends.
---@param fn function
function lunate.finally(fn) end

---@return number seconds monotonic
function lunate.now() end

---@param value any
---@return lunate.Parameter
function lunate.json(value) end

---@param t table
---@param n integer? holes are NULL
---@return lunate.Parameter
function lunate.array(t, n) end

---@param s string
---@return lunate.Parameter
function lunate.bytea(s) end

---The SQL of the database's row policies, from the isolation.lua of a folder:
---what `lunate policy rls` prints. The owner of the tables runs it.
---@param options { folder: string, schema: string?, app_role: string?, system_role: string? }
---@return string|nil sql, lunate.Error? err
function lunate.row_policies(options) end

---@param value any
---@return boolean
function lunate.is_error(value) end

---Every database of this VM, without waiting.
function lunate.close_all() end

---What a function of a policy file is told; read-only. Fields of another name
---are an error, those that are not known are nil.
---@class lunate.PolicyAsked
---@field tenant string? nil for none and for several
---@field tenants string[]
---@field user string?
---@field roles string[] as given, without inherited ones
---@field location string?
---@field locations string[]
---@field clinic_tz string?
---@field ip string?
---@field device string?
---@field purpose string?
---@field trace string?
---@field system string? the reason of work as system
---@field now number? of a condition of access.lua: seconds since 1970
---@field kind string? of retries: "select", "insert", ...
---@field class "read"|"write"|"critical"|nil of retries
---@field attempt integer? of retries: how often it was tried
---@field tables string[]? of retries: as the statement names them

return lunate
