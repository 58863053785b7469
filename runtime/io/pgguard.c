/* SPDX-License-Identifier: MIT
 *
 * What a session may not change of itself.  The server reports these
 * parameters before the ReadyForQuery that follows a change (PostgreSQL 15
 * manual, 55.2.6), so asking libpq at each Sync costs no message.
 *
 * role and search_path are not reported: the gate keeps statements that
 * change them away (sql/vet.h).
 */
#include "pgconn_int.h"

#include <stdio.h>
#include <string.h>

static bool
is_on(const struct pgconn *c, const char *name)
{
	const char *s = PQparameterStatus(c->pg, name);

	return s != NULL && strcmp(s, "on") == 0;
}

static const char *
role(const struct pgconn *c)
{
	const char *s = PQparameterStatus(c->pg, "session_authorization");

	return s != NULL ? s : "";
}

/* Right after the login. */
void
pgguard_begin(struct pgconn *c)
{
	struct pgguard *g = &c->guard;

	g->utf8 = pg_char_to_encoding("UTF8");
	g->superuser = is_on(c, "is_superuser");
	snprintf(g->role, sizeof(g->role), "%s", role(c));
}

static const char breached[] =
	"it brought rows of another tenant: the connection was closed";

void
pgconn_breach(struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	c->guard.breached = true;
	pgconn_die_soon(c, LUNATE_ELOST, breached);
}

const char *
pgguard_broken(const struct pgconn *c)
{
	const struct pgguard *g = &c->guard;

	if (g->breached)
		return breached;
	if (!g->on || PQstatus(c->pg) != CONNECTION_OK)
		return NULL;
	if (PQclientEncoding(c->pg) != g->utf8)
		return "the session's client_encoding was changed from UTF8: "
		       "the connection was closed";
	if (!is_on(c, "standard_conforming_strings"))
		return "the session's standard_conforming_strings was turned "
		       "off: the connection was closed";
	if (is_on(c, "is_superuser") != g->superuser)
		return "the session became or ceased to be a superuser's: the "
		       "connection was closed";
	if (strcmp(role(c), g->role) != 0)
		return "the session took another role: the connection was "
		       "closed";
	return NULL;
}
