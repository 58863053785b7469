/* SPDX-License-Identifier: MIT
 *
 * client - what the clients in C share: the contract with the runner (see
 * README.md), a log-linear histogram as in client.lua, clocks.
 *
 * Whatever goes wrong ends the program with a word on why: a bench that goes
 * on after a failure measures something else.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <err.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { CLIENT_BUCKETS = 2048, CLIENT_STEP = 64 };

/* Times in microseconds: a bucket is the exponent and the first six bits of
 * the fraction, so a percentile is right within 1/64. */
struct client_hist {
	uint64_t n;
	uint32_t counts[CLIENT_BUCKETS];
};

/* Where the measured window began. */
struct client_window {
	double began_us, cpu_us;
};

static inline void
client_hist_add(struct client_hist *h, double us)
{
	double least = us < 1 ? 1 : us;
	uint64_t bits;
	uint32_t i;

	memcpy(&bits, &least, sizeof(bits));
	i = (uint32_t)(bits >> 46) - (0x3ff00000u >> 14);
	h->counts[i < CLIENT_BUCKETS ? i : CLIENT_BUCKETS - 1]++;
	h->n++;
}

/* The time below which that part of them lies: the middle of its bucket. */
static inline double
client_hist_at(const struct client_hist *h, double part)
{
	double left = ceil((double)h->n * part);

	for (int i = 0; h->n > 0 && i < CLIENT_BUCKETS; i++) {
		left -= h->counts[i];
		if (left <= 0)
			return ldexp(1 + (i % CLIENT_STEP + 0.5) / CLIENT_STEP,
				     i / CLIENT_STEP);
	}
	return 0;
}

/* What the runner asks for: client_ask("BENCH_URL"). */
static inline const char *
client_ask(const char *name)
{
	const char *text = getenv(name);

	if (text == NULL)
		errx(1, "%s is not set", name);
	return text;
}

static inline double
client_ask_number(const char *name)
{
	return strtod(client_ask(name), NULL);
}

static inline double
client_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Of this process with all its threads. */
static inline double
client_cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Most memory it ever had, in kB. */
static inline long
client_peak_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kb = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kb;
}

/* A whole number from 1 to n; *state is anything but 0. */
static inline int
client_random(uint64_t *state, int n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return 1 + (int)((*state >> 32) % (uint64_t)n);
}

static inline struct client_window
client_window_open(struct client_hist *h)
{
	memset(h, 0, sizeof(*h));
	return (struct client_window){client_now_us(), client_cpu_us()};
}

/* Ends the window and prints the answer. */
static inline void
client_window_close(const struct client_window *w, const struct client_hist *h)
{
	double seconds = (client_now_us() - w->began_us) / 1e6;
	double cpu_us = client_cpu_us() - w->cpu_us;

	printf("{\"ops\":%llu,\"seconds\":%.6f,\"cpu_us\":%.0f,"
	       "\"peak_kb\":%ld,\"p50_us\":%.2f,\"p99_us\":%.2f}\n",
	       (unsigned long long)h->n, seconds, cpu_us, client_peak_kb(),
	       client_hist_at(h, 0.5), client_hist_at(h, 0.99));
	fflush(stdout);
}

#endif
