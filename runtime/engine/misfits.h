/* SPDX-License-Identifier: MIT
 *
 * misfits - do the rules of access.lua make sense for the live database?
 *
 *   rules, world --each rule, each table it names--> findings of the doctor
 *
 * A rule is built without a database.  One that names what a table lacks, or
 * compares a column as its type is not compared, is at fault whenever it is
 * asked (guard/access.h); this says so before somebody is denied by it.  With
 * rules and no misfit there is one finding, that all is well.
 *
 * Memory: texts of a finding are borrowed in fn().
 * Thread: that of the worker whose world it is.
 */
#ifndef MISFITS_H
#define MISFITS_H

#include "access.h"
#include "doctor.h"

struct misfits_ask {
	const struct access_rules *rules;
	const struct world *world;
	void (*fn)(const struct doctor_finding *finding, void *arg);
	void *arg;
};

void misfits_judge(const struct misfits_ask *ask);

#endif
