-- lunate.repl.words - words of SQL that are worth completing.
local M = {}

---@param text string words between white space
---@return table<string, true>
function M.set(text)
  local all = {}
  for word in text:gmatch("%S+") do
    all[word] = true
  end
  return all
end

local function list(text)
  local all = {}
  for word in text:gmatch("%S+") do
    all[#all + 1] = word
  end
  table.sort(all)
  return all
end

-- Not usable as a name without quotes; none of them is an alias.
M.RESERVED = M.set [[
  all analyse analyze and any array as asc asymmetric both case cast check
  collate column constraint create cross current_date current_role
  current_time current_timestamp current_user default deferrable desc distinct
  do else end except false fetch for foreign from full grant group having in
  initially inner intersect into is isnull join lateral leading left like
  ilike limit localtime localtimestamp natural not notnull null offset on only
  or order outer overlaps placing primary references returning right select
  session_user set similar some symmetric table then to trailing true union
  unique user using values variadic verbose when where window with]]

M.STATEMENTS = list [[
  abort alter analyze begin call checkpoint close cluster comment commit copy
  create deallocate declare delete discard do drop end execute explain fetch
  grant import insert listen load lock merge move notify prepare reassign
  refresh reindex release reset revoke rollback savepoint security select set
  show start table truncate unlisten update vacuum values with]]

M.KEYWORDS = list [[
  add all alter always and any array as asc atomic before begin between by
  cascade case cast check coalesce collate column columns comment commit
  committed concurrently conflict constraint copy create cross csv
  current_date current_timestamp current_user cursor data database day default
  deferrable deferred definer delete desc distinct do domain drop each else
  end enum except exclude execute exists extension false fetch filter first
  following for foreign format from full function generated grant group having
  header hour identity if ilike immutable in index inner insert instead
  intersect interval into is isolation join json key language last lateral
  left level like limit local lock logged materialized merge minute month
  nothing not notnull null nulls numeric of offset on only or order outer over
  owner partition policy preceding primary privileges procedure public range
  read recursive references refresh rename repeatable replace restart restrict
  returning returns revoke right role rollback rollup row rows schema second
  security select sequence serializable session set show similar skip some
  stable stdin stdout stored table tablespace temporary text then ties time
  timestamp timestamptz to transaction trigger true truncate type unbounded
  union unique unlogged update user using uuid vacuum values varchar view
  volatile when where window with within without write year zone]]

M.IS_WORD = {}
for _, words in ipairs { M.STATEMENTS, M.KEYWORDS } do
  for _, word in ipairs(words) do
    M.IS_WORD[word] = true
  end
end

return M
