/* SPDX-License-Identifier: MIT
 *
 * keeper - runs one command and never lets it outlive the one who asked.
 *
 *   keeper [-u user] [-s signal] [-g grace_ms] [-l] [-t] -- command args...
 *   keeper -r directory
 *
 * The one who asks holds the other end of two pipes:
 *   fd 3  life: its end of file means "stop and clean up"
 *   fd 4  report: "pid N", then "exit N" or "signal N" when all is over
 *   fd 5  only held: the end of file of a keeper -r, which removes the
 *         directory once nobody is left who uses it
 *
 *                      life ends            grace_ms passed
 *   RUNNING ------------------> STOPPING ------------------> (all killed)
 *      |  command ended             |                             |
 *      +------------> LEFTOVERS <---+-----------------------------+
 *                         | no child is left (killed after a second)
 *                         v
 *                       report
 *
 * Always true: whatever the command started and left behind is a child of
 * this process (subreaper) and is gone before the report.  With -l it is left
 * alone instead: a command that starts a daemon on purpose.
 *
 * The command runs in a session of its own, as `user` if one is given, with
 * default signals, and gets `signal` even if this process is killed.  With -t
 * its standard input is a terminal, and becomes that of its session.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFE = 3, REPORT = 4, HELD = 5 };
enum state { RUNNING, STOPPING, LEFTOVERS };

static struct {
	const char *user;
	const char *remove;
	int stop_signal;
	int grace_ms;
	bool loose;
	bool terminal;
} opt = {.stop_signal = SIGTERM, .grace_ms = 8000};

static pid_t child;
static int child_status;
static enum state state = RUNNING;
static int64_t due_ms = INT64_MAX; /* when the next harsher step is taken */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Deepest first, so that nobody is adopted out of reach on the way. */
static void
signal_descendants(pid_t pid, int sig)
{
	char path[64];
	int of;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	while (fscanf(f, "%d", &of) == 1) {
		signal_descendants(of, sig);
		kill(of, sig);
	}
	fclose(f);
}

static void
become(const char *user)
{
	struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		errx(126, "no user %s", user);
	if (initgroups(user, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
	    setuid(pw->pw_uid) != 0)
		err(126, "become %s", user);
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", user, 1);
}

static _Noreturn void
run(char **argv, pid_t parent)
{
	sigset_t none;

	setsid();
	if (opt.terminal && ioctl(0, TIOCSCTTY, 0) != 0)
		err(126, "no terminal");
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (opt.user != NULL)
		become(opt.user);
	/* After the change of user, which clears it. */
	prctl(PR_SET_PDEATHSIG, opt.stop_signal);
	if (getppid() != parent)
		_exit(126);
	execvp(argv[0], argv);
	err(127, "%s", argv[0]);
}

static int
watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A stopped process takes no signal but KILL: wake it to be told. */
static void
stop(void)
{
	if (state != RUNNING)
		return;
	state = STOPPING;
	due_ms = now_ms() + opt.grace_ms;
	kill(opt.loose ? -child : child, opt.stop_signal);
	kill(opt.loose ? -child : child, SIGCONT);
	if (!opt.loose)
		signal_descendants(getpid(), SIGCONT);
}

static void
harsher(void)
{
	if (opt.loose)
		kill(-child, SIGKILL);
	signal_descendants(getpid(), SIGKILL);
	due_ms = now_ms() + 200;
}

/* Returns false when nothing is left to wait for. */
static bool
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		child_status = status;
		state = LEFTOVERS;
		due_ms = now_ms() + 1000;
	}
	if (state != LEFTOVERS)
		return true;
	return !opt.loose && pid == 0;
}

static void
keep(int signals)
{
	struct pollfd p[2] = {{signals, POLLIN, 0}, {LIFE, POLLIN, 0}};
	struct signalfd_siginfo info;
	char c;

	while (reap()) {
		int64_t left = due_ms == INT64_MAX ? -1 : due_ms - now_ms();

		if (left < 0 && due_ms != INT64_MAX) {
			harsher();
			continue;
		}
		poll(p, 2, (int)left);
		while (read(signals, &info, sizeof(info)) > 0) {
			if (info.ssi_signo != SIGCHLD)
				stop();
		}
		if (p[1].revents != 0 && read(LIFE, &c, 1) <= 0) {
			p[1].fd = -1;
			stop();
		}
	}
}

/* keeper -r: sits until every holder of the pipe is gone. */
static _Noreturn void
remove_at_end(void)
{
	char c;

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	while (read(LIFE, &c, 1) > 0 || errno == EINTR)
		errno = 0;
	execlp("rm", "rm", "-rf", "--", opt.remove, (char *)NULL);
	err(127, "rm");
}

static char **
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+u:s:g:ltr:")) != -1) {
		switch (c) {
		case 'u':
			opt.user = optarg;
			break;
		case 's':
			opt.stop_signal = atoi(optarg);
			break;
		case 'g':
			opt.grace_ms = atoi(optarg);
			break;
		case 'l':
			opt.loose = true;
			break;
		case 't':
			opt.terminal = true;
			break;
		case 'r':
			opt.remove = optarg;
			break;
		default:
			exit(2);
		}
	}
	return argv + optind;
}

int
main(int argc, char **argv)
{
	char **command = options(argc, argv);
	int signals;
	pid_t self;

	setsid();
	close_range(HELD + 1, ~0U, 0);
	if (opt.remove != NULL)
		remove_at_end();
	if (*command == NULL)
		errx(2, "no command");
	for (int fd = LIFE; fd <= HELD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	signals = watch_signals();
	if (!opt.loose)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	self = getpid();
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0)
		run(command, self);
	dprintf(REPORT, "pid %d\n", child);
	keep(signals);
	if (WIFEXITED(child_status))
		dprintf(REPORT, "exit %d\n", WEXITSTATUS(child_status));
	else
		dprintf(REPORT, "signal %d\n", WTERMSIG(child_status));
	return 0;
}
