/* SPDX-License-Identifier: MIT
 *
 * trial - the tests that a policy file brings along.
 *
 *	test "a clinic sees its own visits" {
 *	  as = { tenant = "0b5e..." }, sql = "select * from visits",
 *	  gives = "scoped" }
 *
 * A statement goes through gate, rewrite and checker under the rules that were
 * built, in a world made up for it (sample.h), and must end as the test says:
 *
 *	scoped    it runs, limited to the context's tenants
 *	open      it runs, and touches no tenant's rows (or runs as system)
 *	refused   it does not; `because` is the reason's word (sql/refusal.h)
 *
 * Under an access.lua its rules are among them, for a test of that file; one of
 * isolation.lua says what isolation alone makes of a statement.
 *
 *	test "a nurse reads a chart by day" {
 *	  as = { tenant = "0b5e...", roles = "nurse" },
 *	  can = "read", on = "charts", columns = { "note" },
 *	  row = { location_id = "L1" }, at = "2026-06-15T10:00Z" }
 *
 * Whether an action (or cannot: read, insert, update, delete) is allowed on a
 * row: what the test does not say of it is NULL (sample_row.h), and without
 * `at` no clock is trusted.  `because` names a rule that counts: for can a
 * permit, for cannot a forbid, or "no permit" when it is no forbid.
 *
 * No test is passed over: one that says nothing that can be looked at is an
 * error of its file.
 *
 * Memory: owns nothing.  Thread: any; keeps nothing.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include "decl.h"
#include "rules.h"

/* LUNATE_ECONFIG: what came out instead, and how to say it. */
MUST_USE
int trial_run(const struct decl *test, const struct rules *rules,
	      struct err *e);

#endif
