-- Which clinic is meant, and when that is asked again.
local clinics = require "lunate.clinics"
local live = require "support.live"
local pg = require "support.pg"

local function uuid(n)
  return ("00000000-0000-0000-0000-%012d"):format(n)
end

local A, B, OFF, USER, PLACE = uuid(1), uuid(2), uuid(3), uuid(9), uuid(7)
local url, plain, db

setup(function()
  url = pg.database("clinic_resolution_spec")
  plain = live.open(url)
  assert(plain:script(([[
    do $$ begin
      create role lunate_resolver login;
    exception when duplicate_object then null; end $$;
    create schema healthcare;
    create table healthcare.clinics (id uuid, subdomain text,
      is_active boolean);
    create table healthcare.locations (id uuid, clinic_id uuid,
      is_active boolean);
    create table healthcare.users (id uuid, primary_clinic_id uuid);
    create table healthcare.user_clinics (user_id uuid, clinic_id uuid);
    create table healthcare.user_roles (user_id uuid, clinic_id uuid,
      revoked_at timestamptz, expires_at timestamptz);
    insert into healthcare.clinics values ('%s', 'north', true),
      ('%s', 'south', true), ('%s', 'gone', false);
    insert into healthcare.locations values ('%s', '%s', true);
    insert into healthcare.users values ('%s', '%s');
    grant usage on schema healthcare to lunate_resolver;
    grant select on all tables in schema healthcare to lunate_resolver;
  ]]):format(A, B, OFF, PLACE, B, USER, A)))
  db = live.open(url, { system = { role = "lunate_resolver" } })
end)
teardown(live.close)
before_each(function() db:forget_clinics() end)

describe("a clinic", function()
  it("is found by id, subdomain and location while active", function()
    assert.equal(A, db:resolve_clinic { id = A })
    assert.equal(A, db:resolve_clinic { subdomain = "NORTH" })
    assert.equal(B, db:resolve_clinic { location = PLACE })
    for _, want in ipairs { { id = OFF }, { subdomain = "gone" },
      { id = "no uuid" } } do
      local id, err = db:resolve_clinic(want)
      assert.is_nil(id)
      assert.is_nil(err)
    end
  end)

  it("is kept until forgotten", function()
    assert.equal(B, db:resolve_clinic { id = B })
    assert(plain:exec("update healthcare.clinics set is_active = false "
      .. "where id = $1::uuid", B))
    assert.equal(B, db:resolve_clinic { id = B })
    db:forget_clinics()
    assert.is_nil((db:resolve_clinic { id = B }))
    assert(plain:exec("update healthcare.clinics set is_active = true "
      .. "where id = $1::uuid", B))
  end)

  it("is not asked for without the capability", function()
    live.refused("denied", plain:resolve_clinic { id = A })
  end)
end)

describe("a user's clinics", function()
  it("end with the role, at once", function()
    local function set(revoked, expires)
      assert(plain:exec("delete from healthcare.user_roles"))
      assert(plain:exec("insert into healthcare.user_roles values ($1::uuid, "
        .. "$2::uuid, $3::text::timestamptz, $4::text::timestamptz)", USER, B,
        revoked, expires))
    end
    set(nil, "infinity")
    assert.same({ A, B }, db:resolve_clinic { user = USER })
    set("2020-01-01", nil)
    assert.same({ A }, db:resolve_clinic { user = USER })
    set(nil, "2020-01-01")
    assert.same({ A }, db:resolve_clinic { user = USER })
    assert(plain:exec("insert into healthcare.user_clinics values "
      .. "($1::uuid, $2::uuid)", USER, B))
    assert.same({ A, B }, db:resolve_clinic { user = USER })
  end)
end)

describe("the cache", function()
  it("asks again after its time, sooner for no clinic", function()
    local now, asked, rows = 0, 0, { { id = A } }
    local cache = clinics.new(function() return now end)
    local function go()
      return clinics.resolve(cache, { id = A }, function()
        asked = asked + 1
        return rows
      end)
    end
    assert.equal(A, go())
    now, rows = 299, {}
    assert.equal(A, go())
    assert.equal(1, asked)
    now = 300
    assert.is_nil(go())
    now, rows = 304, { { id = A } }
    assert.is_nil(go())
    now = 305
    assert.equal(A, go())
    assert.equal(3, asked)
  end)

  it("keeps no error, and no answer older than a forget", function()
    local cache = clinics.new()
    local _, err = clinics.resolve(cache, { id = A }, function()
      return nil, "broken"
    end)
    assert.equal("broken", err)
    assert.equal(A, clinics.resolve(cache, { id = A }, function()
      clinics.forget(cache)
      return { { id = A } }
    end))
    assert.is_nil((clinics.resolve(cache, { id = A },
      function() return {} end)))
  end)
end)
