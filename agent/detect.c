/* Runs the probes. Each is a child, because a controller or a firmware table
 * that hangs or crashes the reader must not cost the machine its install: what
 * the child could not say becomes a note. A child that is stuck inside the
 * kernel cannot even be killed, so nothing here waits for one without limit. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent/detect.h"
#include "agent/probe.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"

#define PROBES_MAX 16
#define REAP_MS 200

enum frame_kind { FRAME_FACTS = 1, FRAME_NOTE = 2 };

/* What a child says: frames of a head and `len` bytes. */
struct frame {
	uint32_t kind, len;
};

struct child {
	pid_t pid;
	int fd; /* -1: at its end */
	bool late;
	struct buf said;
};

static void
say(int fd, enum frame_kind kind, const char *bytes, size_t len)
{
	struct frame head = { .kind = kind, .len = (uint32_t)len };
	struct err e = { 0 };

	if (fd_write_all(fd, &head, sizeof(head), &e) < 0 ||
	    fd_write_all(fd, bytes, len, &e) < 0)
		_exit(1);
}

static void
child_body(const struct probe *p, const char *root, int fd)
{
	AUTO(facts) found = facts_new();
	AUTO_CLEAR(buf) json = { 0 };
	struct err e = { 0 };

	/* The caller may ignore it, and a closed pipe should end us. */
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (p->run(root, found, &e) < 0)
		say(fd, FRAME_NOTE, e.text, strlen(e.text));
	facts_to_json(found, &json);
	say(fd, FRAME_FACTS, buf_text(&json), json.len);
	_exit(0);
}

static int
child_start(struct child *c, const struct probe *p, const char *root,
	    struct err *e)
{
	int ends[2];

	c->fd = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	c->pid = fork();
	if (c->pid == 0) {
		close(ends[0]);
		child_body(p, root, ends[1]);
	}
	close(ends[1]);
	if (c->pid < 0) {
		close(ends[0]);
		return err_sys(e, "fork");
	}
	c->fd = ends[0];
	return 0;
}

static void
child_end(struct child *c)
{
	close(c->fd);
	c->fd = -1;
}

static void
child_hear(struct child *c)
{
	size_t room = 65536;
	ssize_t n = read(c->fd, buf_room(&c->said, room), room);

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0)
		c->said.len += (size_t)n;
	if (n <= 0 || c->said.len > FACTS_MAX_BYTES + 4096)
		child_end(c);
}

/* Hear all children until each is at its end or the time is over. */
static void
hear_all(struct child *c, size_t len, int64_t until)
{
	struct pollfd wait[PROBES_MAX];

	for (;;) {
		size_t i, open = 0;
		int64_t left = until - clock_boot_ms();

		for (i = 0; i < len; i++) {
			wait[i] = (struct pollfd){ .fd = c[i].fd,
						   .events = POLLIN };
			open += c[i].fd >= 0;
		}
		if (open == 0 || left <= 0)
			return;
		if (poll(wait, len, (int)left) <= 0)
			continue;
		for (i = 0; i < len; i++)
			if (wait[i].fd >= 0 && wait[i].revents)
				child_hear(&c[i]);
	}
}

/* Its wait status, or -1 when it does not even end after a kill. */
static int
child_reap(struct child *c)
{
	int64_t until = clock_boot_ms() + REAP_MS;
	int status;

	if (c->fd >= 0) {
		c->late = true;
		child_end(c);
		kill(c->pid, SIGKILL);
	}
	for (;;) {
		pid_t got = waitpid(c->pid, &status, WNOHANG);

		if (got == c->pid)
			return status;
		if ((got < 0 && errno != EINTR) || clock_boot_ms() >= until)
			break;
		usleep(2000);
	}
	kill(c->pid, SIGKILL);
	return -1;
}

static void
note(struct detect_notes *n, const char *probe, const char *text)
{
	buf_printf(&n->lines, "%s: %s\n", probe, text);
}

static void
facts_move(const struct facts *from, struct facts *to)
{
	size_t i;

	for (i = 0; i < facts_len(from); i++) {
		const struct fact *f = facts_at(from, i);

		facts_add(to, f->word[FACT_CLASS], f->word[FACT_NAME],
			  f->word[FACT_PROPERTY], f->word[FACT_VALUE]);
	}
}

/* Take the frames apart. True when the facts were among them. */
static bool
child_understand(const struct child *c, const char *name, struct facts *out,
		 struct detect_notes *notes)
{
	const char *at = buf_text(&c->said);
	size_t left = c->said.len;
	struct frame head;
	bool whole = false;

	while (left >= sizeof(head)) {
		AUTO(facts) found = NULL;
		struct err e = { 0 };

		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		left -= sizeof(head);
		if (head.len > left)
			break;
		if (head.kind == FRAME_NOTE) {
			AUTO_FREE char *text = base_strndup(at, head.len);
			note(notes, name, text);
		} else if (facts_from_json(&found, at, head.len, &e) < 0) {
			note(notes, name, e.text);
		} else {
			facts_move(found, out);
			whole = true;
		}
		at += head.len;
		left -= head.len;
	}
	return whole;
}

static void
child_finish(struct child *c, const char *name, int deadline_ms,
	     struct facts *out, struct detect_notes *notes)
{
	int status = child_reap(c);
	char text[96];

	if (child_understand(c, name, out, notes) && status == 0)
		return;
	if (c->late)
		snprintf(text, sizeof(text),
			 "killed after %.1f s, its facts are missing%s",
			 deadline_ms / 1000.0,
			 status < 0 ? " (it hangs in the kernel)" : "");
	else if (status >= 0 && WIFSIGNALED(status))
		snprintf(text, sizeof(text),
			 "ended by signal %d, its facts are missing",
			 WTERMSIG(status));
	else
		snprintf(text, sizeof(text),
			 "ended before it had told all, facts are missing");
	note(notes, name, text);
}

int
probes_detect(const struct probe *table, size_t len, int deadline_ms,
	      const char *root, struct facts *out, struct detect_notes *notes,
	      struct err *e)
{
	struct child c[PROBES_MAX] = { 0 };
	size_t i, started = 0;

	if (len > PROBES_MAX)
		len = PROBES_MAX;
	for (i = 0; i < len; i++) {
		if (child_start(&c[i], &table[i], root, e) < 0)
			note(notes, table[i].name, e->text);
		else
			started++;
	}
	if (started == 0)
		return err_add(e, "no probe could be started");
	hear_all(c, len, clock_boot_ms() + deadline_ms);
	for (i = 0; i < len; i++) {
		if (c[i].pid > 0)
			child_finish(&c[i], table[i].name, deadline_ms, out,
				     notes);
		buf_clear(&c[i].said);
	}
	return 0;
}

int
detect(const char *root, struct facts *out, struct detect_notes *notes,
       struct err *e)
{
	static const struct probe table[] = {
		{ "disk", probe_disk },     { "system", probe_system },
		{ "memory", probe_memory }, { "network", probe_network },
		{ "cpu", probe_cpu },       { "ipmi", probe_ipmi },
		{ "pci", probe_pci },
	};

	return probes_detect(table, ARRAY_LEN(table), DETECT_DEADLINE_MS, root,
			     out, notes, e);
}

void
detect_notes_clear(struct detect_notes *n)
{
	buf_clear(&n->lines);
}
