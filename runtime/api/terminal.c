/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua_core.h"
#include "mem.h"

extern char **environ;

static struct {
	struct vm *vm; /* NULL: nobody listens */
	volatile sig_atomic_t count;
	unsigned told;		      /* how many the loop has heard of */
	int wake;		      /* eventfd: a signal came */
	struct loop_fd heard;	      /* ... and reached the loop */
	struct list waits;	      /* struct pause: to be woken by it */
	bool woken;		      /* terminal_await_input() may look */
	lua_State *guarded;	      /* computes for its user, or NULL */
	volatile sig_atomic_t ending; /* SIGTERM or SIGHUP, or 0 */
} term;

/* ---- SIGINT ------------------------------------------------------------- */

static bool
is_ours(lua_State *L, lua_Debug *at)
{
	return lua_getinfo(L, "S", at) == 0 ||
	       strncmp(at->source, "@lunate:", 8) == 0;
}

/* Raises in the user's own code, at its next step; lunate's is let pass. */
static void
on_step(lua_State *L, lua_Debug *at)
{
	if (term.guarded == NULL || term.told == (unsigned)term.count) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (is_ours(L, at))
		return;
	term.told = (unsigned)term.count;
	lua_sethook(L, NULL, 0, 0);
	luaL_error(L, "interrupted");
}

static void
set_hook(void)
{
	lua_sethook(term.guarded, on_step,
		    LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* Of a signal handler. */
static void
wake(void)
{
	const uint64_t one = 1;
	int before = errno;

	(void)!write(term.wake, &one, sizeof(one));
	errno = before;
}

static void
on_signal(int number)
{
	if (number != SIGINT)
		term.ending = number;
	term.count++;
	if (term.guarded != NULL)
		set_hook();
	wake();
}

/* What a wait of this module ended by. */
enum why { READY, SIGNALLED, CANCELLED };

/* A descriptor to be ready, or a SIGINT; in term.waits. */
struct pause {
	struct wait wait;
	struct list link;
	struct loop_fd io; /* not started: only a signal is waited for */
	enum why why;
};

static void
end_pause(struct pause *p, enum why why)
{
	p->why = why;
	loop_fd_stop(&p->io);
	list_remove(&p->link);
	wait_finish(&p->wait);
}

static void
on_heard(struct loop_fd *w)
{
	bool interrupted = term.told != (unsigned)term.count;
	uint64_t n;

	(void)!read(term.wake, &n, sizeof(n));
	loop_fd_start(w, term.wake, false);
	term.told = (unsigned)term.count;
	term.woken = true;
	if (!interrupted)
		return;
	LIST_EACH_SAFE (link, &term.waits)
		end_pause(LIST_ENTRY(link, struct pause, link), SIGNALLED);
}

static void
start_listening(lua_State *L)
{
	term.vm = vm_of(L);
	term.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (term.wake < 0)
		obj_panic(__FILE__, __LINE__, "no eventfd");
	loop_fd_init(&term.heard, term.vm->loop, on_heard);
	loop_fd_start(&term.heard, term.wake, false);
}

void
terminal_listen(lua_State *L)
{
	struct sigaction act = {.sa_handler = on_signal,
				.sa_flags = SA_RESTART};
	struct sigaction once = {.sa_handler = on_signal,
				 .sa_flags = SA_RESTART | SA_RESETHAND};

	if (term.vm != NULL)
		return;
	start_listening(L);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &once, NULL);
	sigaction(SIGHUP, &once, NULL);
}

static volatile sig_atomic_t *others[NSIG]; /* of terminal_hear() */

static void
on_other(int number)
{
	*others[number] = 1;
	wake();
}

void
terminal_hear(int number, volatile sig_atomic_t *seen, struct sigaction *before)
{
	struct sigaction act = {.sa_handler = on_other, .sa_flags = SA_RESTART};

	others[number] = seen;
	sigaction(number, &act, before);
}

unsigned
terminal_interrupts(void)
{
	return (unsigned)term.count;
}

bool
terminal_ending(void)
{
	return term.ending != 0;
}

/* terminal.listen(): SIGINT no longer ends the process */
static int
listen_now(lua_State *L)
{
	terminal_listen(L);
	return 0;
}

/* terminal.ending() -> the number of SIGTERM or SIGHUP when one came */
static int
ending(lua_State *L)
{
	if (term.ending == 0)
		return 0;
	lua_pushinteger(L, term.ending);
	return 1;
}

/* terminal.interrupts() -> how many came so far */
static int
interrupts(lua_State *L)
{
	lua_pushnumber(L, (double)(unsigned)term.count);
	return 1;
}

static void
pause_cancel(struct wait *w, enum err_code code)
{
	(void)code;
	end_pause(CONTAINER_OF(w, struct pause, wait), CANCELLED);
}

static void
on_ready(struct loop_fd *w)
{
	end_pause(CONTAINER_OF(w, struct pause, io), READY);
}

static const char *const whys[] = {"ready", "signal", "cancelled"};

static int
pause_push(struct wait *w, lua_State *L)
{
	struct pause *p = CONTAINER_OF(w, struct pause, wait);

	lua_pushstring(L, whys[p->why]);
	mem_free(p);
	return 1;
}

/* fd < 0: only a signal ends it. */
static int
await(lua_State *L, int fd, bool writing)
{
	struct vm *vm = vm_of(L);
	struct pause *p;

	wait_check(L);
	if (task_cancelled(vm)) {
		lua_pushstring(L, whys[CANCELLED]);
		return 1;
	}
	p = mem_new(sizeof(*p));
	p->wait.vm = vm;
	p->wait.push = pause_push;
	p->wait.cancel = pause_cancel;
	list_init(&p->link);
	list_push_back(&term.waits, &p->link);
	loop_fd_init(&p->io, vm->loop, on_ready);
	if (fd >= 0)
		loop_fd_start(&p->io, fd, writing);
	return wait_await(L, &p->wait);
}

/* terminal.interrupt() -> "signal" at the next SIGINT, "cancelled" */
static int
interrupt(lua_State *L)
{
	return await(L, -1, false);
}

/* terminal.ready(fd, "read" | "write") -> "ready" when it will not block (it
 * may have ended, too), "signal" when SIGINT came first, "cancelled" */
static int
ready(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	bool writing = strcmp(luaL_checkstring(L, 2), "write") == 0;
	struct pollfd p = {fd, writing ? POLLOUT : POLLIN, 0};

	if (poll(&p, 1, 0) == 0)
		return await(L, fd, writing);
	lua_pushstring(L, whys[READY]);
	return 1;
}

/* terminal.guard(on, heard): Lua code that runs meanwhile and is not lunate's
 * ends with the error "interrupted" at a SIGINT, even when it never waits; at
 * once when more than `heard` of them have come already. */
static int
guard(lua_State *L)
{
	bool on = lua_toboolean(L, 1);

	term.guarded = on ? vm_of(L)->L : NULL;
	term.told = (unsigned)lua_tonumber(L, 2);
	if (on && term.told != (unsigned)term.count)
		set_hook();
	else
		lua_sethook(L, NULL, 0, 0);
	return 0;
}

/* ---- descriptors -------------------------------------------------------- */

static void
on_input(struct loop_fd *w)
{
	(void)w;
	term.woken = true;
}

void
terminal_await_input(struct vm *vm, int fd)
{
	struct loop_fd in;

	term.woken = false;
	loop_fd_init(&in, vm->loop, on_input);
	loop_fd_start(&in, fd, false);
	loop_run_until(vm->loop, &term.woken);
	loop_fd_stop(&in);
}

#define PIECE 4096 /* what a pipe that can be written takes at once */

/* terminal.put(fd, bytes, from) -> how many were written; nil, "closed" when
 * nobody reads any more, nil, reason.  After terminal.ready() it does not
 * block. */
static int
put(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	size_t len, from = (size_t)luaL_checkinteger(L, 3) - 1;
	const char *bytes = luaL_checklstring(L, 2, &len);
	ssize_t n;

	luaL_argcheck(L, from <= len, 3, "beyond the end");
	len -= from;
	do
		n = write(fd, bytes + from, len < PIECE ? len : PIECE);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		n = 0;
	if (n >= 0) {
		lua_pushnumber(L, (double)n);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, errno == EPIPE ? "closed" : strerror(errno));
	return 2;
}

/* terminal.get(fd) -> bytes, "" at the end; nil, reason.  After
 * terminal.ready() it does not block. */
static int
get(lua_State *L)
{
	char bytes[65536];
	ssize_t n;

	do
		n = read((int)luaL_checkinteger(L, 1), bytes, sizeof(bytes));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		lua_pushnil(L);
		lua_pushstring(L, strerror(errno));
		return 2;
	}
	lua_pushlstring(L, bytes, (size_t)n);
	return 1;
}

static int
close_fd(lua_State *L)
{
	close((int)luaL_checkinteger(L, 1));
	return 0;
}

/* terminal.size(fd) -> rows, columns; nothing where there is no terminal */
static int
size(lua_State *L)
{
	struct winsize w;

	if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &w) != 0 ||
	    w.ws_row == 0 || w.ws_col == 0)
		return 0;
	lua_pushinteger(L, w.ws_row);
	lua_pushinteger(L, w.ws_col);
	return 2;
}

/* ---- other programs ----------------------------------------------------- */

/* Signals as a program expects them: the command ignores SIGPIPE. */
static void
fill_attributes(posix_spawnattr_t *a)
{
	sigset_t set;

	posix_spawnattr_init(a);
	posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGDEF |
					    POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(a, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGINT);
	posix_spawnattr_setsigdefault(a, &set);
}

static int
spawn_shell(const char *command, int input, pid_t *pid)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int rc;

	posix_spawn_file_actions_init(&files);
	if (input >= 0)
		posix_spawn_file_actions_adddup2(&files, input, 0);
	fill_attributes(&attributes);
	rc = posix_spawn(pid, "/bin/sh", &files, &attributes,
			 (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

/* terminal.spawn(command, piped) -> process id, descriptor of its standard
 * input when piped; nil, reason */
static int
spawn(lua_State *L)
{
	const char *command = luaL_checkstring(L, 1);
	bool piped = lua_toboolean(L, 2);
	int ends[2] = {-1, -1}, rc = 0;
	pid_t pid;

	if (piped && pipe2(ends, O_CLOEXEC) != 0)
		rc = errno;
	if (rc == 0)
		rc = spawn_shell(command, ends[0], &pid);
	if (ends[0] >= 0)
		close(ends[0]);
	if (rc != 0) {
		if (ends[1] >= 0)
			close(ends[1]);
		lua_pushnil(L);
		lua_pushstring(L, strerror(rc));
		return 2;
	}
	lua_pushinteger(L, pid);
	if (!piped)
		return 1;
	lua_pushinteger(L, ends[1]);
	return 2;
}

/* terminal.watch(pid) -> a descriptor that can be read when the process has
 * ended; nil where the kernel is too old: reap() waits then, and the loop
 * with it */
static int
watch(lua_State *L)
{
	int fd = pidfd_open((pid_t)luaL_checkinteger(L, 1), 0);

	if (fd < 0)
		return 0;
	lua_pushinteger(L, fd);
	return 1;
}

/* terminal.reap(pid) -> exit status, 128 + n when signal n ended it */
static int
reap(lua_State *L)
{
	pid_t pid = (pid_t)luaL_checkinteger(L, 1);
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	lua_pushinteger(L, WIFSIGNALED(status) ? 128 + WTERMSIG(status)
					       : WEXITSTATUS(status));
	return 1;
}

static const luaL_Reg functions[] = {
	{"listen", listen_now}, {"interrupts", interrupts},
	{"ending", ending},	{"interrupt", interrupt},
	{"guard", guard},	{"ready", ready},
	{"put", put},		{"get", get},
	{"close", close_fd},	{"size", size},
	{"spawn", spawn},	{"watch", watch},
	{"reap", reap},		{NULL, NULL}};

int
luaopen_lunate_terminal(lua_State *L)
{
	list_init(&term.waits);
	lua_newtable(L);
	luaL_register(L, NULL, functions);
	edit_open(L);
	return 1;
}
