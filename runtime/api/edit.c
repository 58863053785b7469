/* SPDX-License-Identifier: MIT
 *
 * edit - a line from a person: libedit over the loop.
 *
 * While the person thinks, the loop turns: connections, tasks and the control
 * socket go on.  libedit asks for one character at a time (take_char), and
 * that is where we wait.
 *
 *   terminal.editor() -> e
 *   e:read(prompt, complete) -> line; nil, "signal" at Ctrl-C, nil, "end"
 *   e:remember(line)             into the history of the arrow keys
 *
 * complete(line, at) is called when Tab is pressed behind byte `at` of the
 * line; it gives what to insert there ("" or nil: nothing) and what to print
 * below it (or nil).
 *
 * Memory: a userdata owns the EditLine; during read() its functions are on the
 *         stack of who reads.
 * Thread: the main one.
 */
#include <errno.h>
#include <histedit.h>
#include <lauxlib.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "lua_core.h"
#include "terminal.h"

#define KEPT 2000 /* entries of the history */

/* Signals that matter while a line is edited. */
enum { RESIZED, CONTINUED, SIGNALS };

static const int numbers[SIGNALS] = {SIGWINCH, SIGCONT};
static volatile sig_atomic_t seen[SIGNALS];

struct editor {
	EditLine *el;
	History *history;
	struct vm *vm;
	lua_State *L; /* who reads now, or NULL; complete() is at its 3 */
	const char *prompt;
	unsigned interrupts; /* when the reading began */
	bool over;	     /* the end of the input */
	struct sigaction before[SIGNALS];
};

static struct editor *
editor_of(EditLine *el)
{
	void *e = NULL;

	el_get(el, EL_CLIENTDATA, &e);
	return e;
}

static char *
prompt(EditLine *el)
{
	return (char *)editor_of(el)->prompt;
}

/* ---- characters --------------------------------------------------------- */

static void
look_at_signals(struct editor *e)
{
	if (seen[RESIZED]) {
		seen[RESIZED] = 0;
		el_resize(e->el);
	}
	if (seen[CONTINUED]) {
		seen[CONTINUED] = 0;
		el_set(e->el, EL_PREP_TERM, 1);
		el_set(e->el, EL_REFRESH);
	}
}

static bool
has_input(void)
{
	struct pollfd p = {0, POLLIN, 0};

	return poll(&p, 1, 0) != 0;
}

/* -1 with EINTR: a signal; 0: the end. */
static int
take_byte(struct editor *e, char *c)
{
	ssize_t n;

	while (!has_input()) {
		if (terminal_interrupts() != e->interrupts || e->over)
			break;
		terminal_await_input(e->vm, 0);
		look_at_signals(e);
	}
	if (terminal_interrupts() != e->interrupts) {
		errno = EINTR;
		return -1;
	}
	if (e->over)
		return 0;
	n = read(0, c, 1);
	if (n <= 0)
		e->over = true;
	return n <= 0 ? 0 : 1;
}

static int
take_char(EditLine *el, wchar_t *out)
{
	struct editor *e = editor_of(el);
	mbstate_t state = {0};
	size_t n = (size_t)-2;
	char c;
	int rc;

	while (n == (size_t)-2) {
		rc = take_byte(e, &c);
		if (rc <= 0)
			return rc;
		n = mbrtowc(out, &c, 1, &state);
	}
	if (n == (size_t)-1)
		*out = L'?'; /* what is no character of this terminal */
	return 1;
}

/* ---- completion --------------------------------------------------------- */

/* In pasted text a tab is white space. */
static bool
is_pasted(void)
{
	int n = 0;

	return ioctl(0, FIONREAD, &n) == 0 && n > 0;
}

/* insert, list = complete(line, at); false: it raised */
static bool
ask(struct editor *e)
{
	const LineInfo *line = el_line(e->el);
	lua_State *L = e->L;

	lua_pushvalue(L, 3);
	lua_pushlstring(L, line->buffer,
			(size_t)(line->lastchar - line->buffer));
	lua_pushinteger(L, line->cursor - line->buffer);
	return lua_pcall(L, 2, 2, 0) == 0;
}

static unsigned char
complete(EditLine *el, int key)
{
	struct editor *e = editor_of(el);
	lua_State *L = e->L;
	int top = lua_gettop(L);
	unsigned char answer = CC_REFRESH_BEEP;

	(void)key;
	if (is_pasted()) {
		el_insertstr(el, "  ");
		return CC_REFRESH;
	}
	if (!lua_isfunction(L, 3) || !ask(e)) {
		lua_settop(L, top);
		return CC_ERROR;
	}
	if (lua_isstring(L, -2) && lua_objlen(L, -2) > 0) {
		el_insertstr(el, lua_tostring(L, -2));
		answer = CC_REFRESH;
	}
	if (lua_isstring(L, -1)) {
		printf("\n%s\n", lua_tostring(L, -1));
		fflush(stdout);
		answer = CC_REDISPLAY;
	}
	lua_settop(L, top);
	return answer;
}

/* ---- the editor --------------------------------------------------------- */

static void
bind_keys(EditLine *el)
{
	static const char *const keys[][2] = {{"^I", "lunate-complete"},
					      {"^R", "em-inc-search-prev"},
					      {"^W", "ed-delete-prev-word"},
					      {"\\e[A", "ed-prev-history"},
					      {"\\e[B", "ed-next-history"},
					      {"\\e[C", "ed-next-char"},
					      {"\\e[D", "ed-prev-char"},
					      {"\\e[H", "ed-move-to-beg"},
					      {"\\e[F", "ed-move-to-end"},
					      {"\\e[1~", "ed-move-to-beg"},
					      {"\\e[4~", "ed-move-to-end"},
					      {"\\e[3~", "ed-delete-next-char"},
					      {"\\e[1;5C", "em-next-word"},
					      {"\\e[1;5D", "ed-prev-word"}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
}

/* What the user wrote into .editrc comes last and wins. */
static void
set_up(struct editor *e)
{
	HistEvent ev;

	history(e->history, &ev, H_SETSIZE, KEPT);
	history(e->history, &ev, H_SETUNIQUE, 1);
	el_set(e->el, EL_CLIENTDATA, e);
	el_set(e->el, EL_PROMPT, prompt);
	el_set(e->el, EL_HIST, history, e->history);
	el_set(e->el, EL_EDITOR, "emacs");
	el_set(e->el, EL_SIGNAL, 0);
	el_set(e->el, EL_GETCFN, take_char);
	el_set(e->el, EL_ADDFN, "lunate-complete", "complete a name", complete);
	bind_keys(e->el);
	el_source(e->el, NULL);
}

/* terminal.editor() */
static int
new_editor(lua_State *L)
{
	struct editor *e = lua_newuserdata(L, sizeof(*e));

	memset(e, 0, sizeof(*e));
	luaL_getmetatable(L, "lunate.editor");
	lua_setmetatable(L, -2);
	terminal_listen(L);
	e->vm = vm_of(L);
	e->prompt = "";
	e->history = history_init();
	e->el = el_init("lunate", stdin, stdout, stderr);
	if (e->el == NULL || e->history == NULL)
		return luaL_error(L, "the terminal cannot be used");
	set_up(e);
	return 1;
}

static struct editor *
check(lua_State *L)
{
	return luaL_checkudata(L, 1, "lunate.editor");
}

static void
hear_signals(struct editor *e)
{
	for (int i = 0; i < SIGNALS; i++)
		terminal_hear(numbers[i], &seen[i], &e->before[i]);
}

static void
unhear_signals(struct editor *e)
{
	for (int i = 0; i < SIGNALS; i++)
		sigaction(numbers[i], &e->before[i], NULL);
}

/* e:read(prompt, complete) */
static int
editor_read(lua_State *L)
{
	struct editor *e = check(L);
	const char *text;
	int n = 0;

	e->prompt = luaL_checkstring(L, 2);
	lua_settop(L, 3);
	luaL_argcheck(L, e->L == NULL && e->vm->cur == NULL, 1,
		      "only the main program reads lines, one at a time");
	e->L = L;
	e->interrupts = terminal_interrupts();
	hear_signals(e);
	el_resize(e->el);
	/* libedit would do it behind the prompt: what is typed in between, a
	 * Ctrl-D above all, would not reach it. */
	el_set(e->el, EL_PREP_TERM, 1);
	text = el_gets(e->el, &n);
	unhear_signals(e);
	e->L = NULL;
	if (terminal_interrupts() == e->interrupts && text != NULL && n > 0) {
		if (text[n - 1] == '\n')
			n--;
		lua_pushlstring(L, text, (size_t)n);
		return 1;
	}
	lua_pushnil(L);
	if (terminal_interrupts() != e->interrupts && !terminal_ending())
		lua_pushliteral(L, "signal");
	else
		lua_pushliteral(L, "end");
	return 2;
}

/* e:remember(line) */
static int
editor_remember(lua_State *L)
{
	HistEvent ev;

	history(check(L)->history, &ev, H_ENTER, luaL_checkstring(L, 2));
	return 0;
}

static int
editor_gc(lua_State *L)
{
	struct editor *e = check(L);

	if (e->el != NULL)
		el_end(e->el);
	if (e->history != NULL)
		history_end(e->history);
	e->el = NULL;
	e->history = NULL;
	return 0;
}

static const luaL_Reg methods[] = {{"read", editor_read},
				   {"remember", editor_remember},
				   {"close", editor_gc},
				   {"__gc", editor_gc},
				   {NULL, NULL}};

void
edit_open(lua_State *L)
{
	lua_core_class(L, "lunate.editor", methods);
	lua_pushcfunction(L, new_editor);
	lua_setfield(L, -2, "editor");
}
