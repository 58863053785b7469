/* SPDX-License-Identifier: MIT */
#include "policies_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "mem.h"
#include "str.h"

/* ---- news -------------------------------------------------------------- */

void
policies_tell(struct policies *p, enum event_type type, json_t *payload)
{
	const struct event_news news = {.type = type,
					.wall_us = policies_wall_us(),
					.payload = payload};

	events_raise(p->events, &news);
}

void
policies_tell_loaded(struct policies *p, const struct past *at)
{
	/* That a start went well is no news. */
	log_at(p->log, p->npast > 1 ? LOG_AT_INFO : LOG_AT_DEBUG, "policy",
	       "policies in force",
	       LOG_INT("generation", (int64_t)at->generation),
	       LOG_STR("folder", p->folder), LOG_STR("why", at->why));
	if (events_wanted(p->events, EVENT_POLICY_LOADED))
		policies_tell(p, EVENT_POLICY_LOADED,
			      json_pack("{sI so ss}", "generation",
					(json_int_t)at->generation, "folder",
					event_text(p->folder), "why", at->why));
}

void
policies_tell_refused(struct policies *p, uint64_t generation,
		      const struct err *e)
{
	log_error(p->log, "policy",
		  "the policy folder is refused; the rules in force stay",
		  LOG_INT("generation", (int64_t)generation),
		  LOG_STR("why", e->text));
	if (events_wanted(p->events, EVENT_POLICY_REFUSED))
		policies_tell(p, EVENT_POLICY_REFUSED,
			      json_pack("{sI so so}", "generation",
					(json_int_t)generation, "folder",
					event_text(p->folder), "message",
					event_text(e->text)));
}

/* Once, and when it is about other files: not with every save. */
void
policies_tell_not_yet(struct policies *p, const struct rules *r)
{
	struct str files;

	if (r->not_yet == p->told_not_yet)
		return;
	p->told_not_yet = r->not_yet;
	str_init(&files);
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (r->not_yet & (1u << i))
			str_addf(&files, "%s%s", files.len > 0 ? ", " : "",
				 vocab_files[i].name);
	if (files.len > 0)
		log_warn(p->log, "policy",
			 "declarations without effect in this version",
			 LOG_STR("files", files.at));
	str_fini(&files);
}

void
policies_tell_held(struct policies *p)
{
	struct rules *r = rules_pin(p->rules);

	log_warn(
		p->log, "policy",
		"a change that may allow more is held; the rules in force stay",
		LOG_INT("generation", (int64_t)r->id),
		LOG_INT("held", (int64_t)p->held.number),
		LOG_STR("why", p->held.why.text));
	if (events_wanted(p->events, EVENT_POLICY_HELD))
		policies_tell(p, EVENT_POLICY_HELD,
			      json_pack("{sI sI so so}", "held",
					(json_int_t)p->held.number,
					"generation", (json_int_t)r->id,
					"folder", event_text(p->folder),
					"message",
					event_text(p->held.why.text)));
	rules_unpin(&r);
}

void
policies_tell_back(struct policies *p, unsigned file, uint64_t generation)
{
	log_error(p->log, "policy",
		  "functions of a policy file fail; its last good version is "
		  "in force again",
		  LOG_STR("file", vocab_files[file].name),
		  LOG_INT("generation", (int64_t)generation));
	if (events_wanted(p->events, EVENT_POLICY_RETURNED))
		policies_tell(p, EVENT_POLICY_RETURNED,
			      json_pack("{sI ss so}", "generation",
					(json_int_t)generation, "file",
					vocab_files[file].name, "folder",
					event_text(p->folder)));
}

/* ---- what it tells ----------------------------------------------------- */

static json_t *
hash_text(uint64_t hash)
{
	char text[20];

	snprintf(text, sizeof(text), "%016" PRIx64, hash);
	return json_string(text);
}

static json_t *
past_json(const struct past *past)
{
	return json_pack("{sI so sf ss}", "generation",
			 (json_int_t)past->generation, "hash",
			 hash_text(past->texts->hash), "at",
			 (double)past->wall_us / 1e6, "why", past->why);
}

static json_t *
not_yet_json(const struct rules *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (r->not_yet & (1u << i))
			json_array_append_new(list,
					      json_string(vocab_files[i].name));
	return list;
}

json_t *
policies_json(struct policies *p)
{
	struct rules *r = rules_pin(p->rules);
	json_t *history = json_array(), *all;
	bool broken;

	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	broken = p->broken.code != 0;
	for (unsigned i = 0; i < p->npast; i++)
		json_array_append_new(history, past_json(&p->history[i]));
	all = json_pack(
		"{so sI so so sf so sb so so}", "folder", event_text(p->folder),
		"generation", (json_int_t)r->id, "hash",
		hash_text(policies_hash(p)), "broken",
		broken ? event_text(p->broken.text) : json_null(), "broken_for",
		broken ? (double)(loop_clock_us() - p->broken_us) / 1e6 : 0.0,
		"not_yet", not_yet_json(r), "closed",
		r->isolation.state == ISOLATION_CLOSED, "history", history,
		"held", policies_held_json(p));
	pthread_mutex_unlock(&p->lock);
	rules_unpin(&r);
	return all;
}
