-- Where a statement ends: PostgreSQL's lexical rules, line by line.
local lex = require "lunate.repl.lex"

-- "kind:text" of each event of a text.
local function split(text)
  local all = {}
  for _, event in ipairs(lex.split(text)) do
    all[#all + 1] = event.kind .. ":" .. event.text
  end
  return all
end

-- What the prompt shows behind each of these lines.
local function open_after(...)
  local lexer, marks = lex.new(), {}
  for i, line in ipairs { ... } do
    lexer:push(line)
    for _ in lexer.next, lexer do end -- luacheck: ignore 542
    marks[i] = lexer:open()
  end
  return marks
end

describe("a statement", function()
  it("ends at its semicolon, and the last one at the end", function()
    assert.same({ "sql:select 1", "sql:select 2" }, split "select 1;select 2")
    assert.same({ "sql:select 1" }, split "select 1;;  ;\n")
    assert.same({}, split " \n -- nothing\n /* here */ ;")
  end)

  it("does not end inside of literals, names, bodies and comments", function()
    for _, text in ipairs { "select ';'", "select 'it''s;'", "select E'\\';'",
      'select ";"', "select $$;$$", "select $a$ $$ ; $b$ ; $a$",
      "select 1 /* ; /* ; */ ; */", "select 'a\n;\nb'", "select U&'\\003b;'" }
    do
      assert.same({ "sql:" .. text, "sql:select 2" }, split(text
        .. "; select 2"), text)
    end
    assert.same({ "sql:select 1 -- ;\n+ 1" }, split "select 1 -- ;\n+ 1;")
  end)

  it("does not end inside of parentheses", function()
    assert.same({ "sql:create rule r as on insert to t do (select 1; select 2)",
      "sql:select 3" },
      split "create rule r as on insert to t do (select 1; select 2); select 3")
  end)

  it("takes a backslash in a plain literal for itself", function()
    assert.same({ "sql:select '\\'", "sql:select 2" },
      split "select '\\'; select 2")
    assert.same({ "sql:select nameE, '\\'", "sql:select 2" },
      split "select nameE, '\\'; select 2")
  end)

  it("knows a dollar quote from $1 and from a dollar in a name", function()
    assert.same({ "sql:select $1", "sql:select a$b$", "sql:select $2" },
      split "select $1; select a$b$; select $2")
  end)

  it("holds a body of standard SQL whole", function()
    local body = "create or replace function f() returns int begin atomic "
      .. "select case when true then 1 end; select 2; end"
    assert.same({ "sql:" .. body, "sql:select 3" }, split(body .. "; select 3"))
    assert.same({ "sql:begin", "sql:select 1", "sql:end" },
      split "begin; select 1; end;")
  end)

  it("knows the line it begins in", function()
    local events = lex.split "select 1;\n\n-- about two\nselect\n2;\n\\x\n"
    assert.same({ 1, 4, 6 }, { events[1].line, events[2].line,
      events[3].line })
    assert.equal(3, events[2].from)
  end)
end)

describe("a backslash", function()
  it("outside of literals begins a command, to the end of the line", function()
    assert.same({ "command:\\d patients; select", "sql:select 1" },
      split "\\d patients; select\nselect 1")
    assert.same({ "sql:select 1", "command:\\x", "sql:select 2" },
      split "select 1; \\x\nselect 2;")
  end)

  it("leaves the statement that has begun as it is", function()
    local lexer = lex.new()
    lexer:push "select 1 \\g out"
    assert.same("\\g out", lexer:next().text)
    assert.equal("select 1", lexer:text())
    assert.is_nil(lexer:next())
  end)
end)

describe("the prompt", function()
  it("shows what is open", function()
    assert.same({ "-", "'", "'", "=" },
      open_after("select", "'a", ";", "';"))
    assert.same({ "(", "(", "-", "=" },
      open_after("select (1", "+ (2)", ")", ";"))
    assert.same({ '"', "=" }, open_after('select "a', 'b";'))
    assert.same({ "$", "$", "=" }, open_after("do $x$", "$$", "$x$;"))
    assert.same({ "*", "*", "=" }, open_after("/* a", "/* b */", "*/"))
    assert.same({ "=", "=" }, open_after("", "-- a comment"))
  end)
end)

describe("an entry of the history", function()
  it("is one line, and means the same", function()
    assert.equal("select a, /* the first */ 'x\n y' from t",
      lex.flatten "select a, -- the first\n    'x\n y'\n  from   t\n")
    assert.equal("select 1 /* a * / b */ + 2",
      lex.flatten "select 1 -- a */ b\n+ 2")
    assert.equal("do $$ begin\n  null; end $$",
      lex.flatten "do $$ begin\n  null; end $$")
  end)
end)
