/* Modules without udev: each device says in `modalias` what it is, and busybox
 * modprobe knows from depmod's tables which module wants that. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "initrd/modules.h"
#include "initrd/plan.h"

#define DEPTH_MAX 24
#define BATCH_MAX 64
#define ROUND_MS 200
#define QUIET_ROUNDS 5
#define ROUNDS_MAX 150

struct batch {
	char *argv[BATCH_MAX + 4];
	size_t len;
};

/* Bad aliases (no module is made for that device) are usual. */
static void
modprobe(struct batch *b)
{
	pid_t pid;

	if (b->len == 0)
		return;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		if (null >= 0) {
			dup2(null, 1);
			dup2(null, 2);
		}
		execv("/sbin/modprobe", b->argv);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	while (b->len)
		free(b->argv[3 + --b->len]);
}

static void
want(struct batch *b, const char *alias)
{
	static char name[] = "modprobe", all[] = "-a", quiet[] = "-q";
	char *copy = strdup(alias);

	if (!copy)
		return;
	b->argv[0] = name;
	b->argv[1] = all;
	b->argv[2] = quiet;
	b->argv[3 + b->len++] = copy;
	b->argv[3 + b->len] = NULL;
	if (b->len == BATCH_MAX)
		modprobe(b);
}

/* The first line of DIR/modalias, NULL when there is none. */
static char *
read_alias(int dir, char *line, size_t size)
{
	int fd = openat(dir, "modalias", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, size - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return *line ? line : NULL;
}

static void
walk(int dir, int depth, struct names *seen, struct batch *b)
{
	char line[1024];
	DIR *d = fdopendir(dir);
	struct dirent *e;

	if (!d) {
		close(dir);
		return;
	}
	if (read_alias(dir, line, sizeof(line)) && names_add(seen, line))
		want(b, line);
	while (depth < DEPTH_MAX && (e = readdir(d))) {
		int below;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		below = openat(dirfd(d), e->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			walk(below, depth + 1, seen, b);
	}
	closedir(d);
}

void
modules_load(const char *sys)
{
	/* what no device asks for by name, but disks, DHCP, mdadm, LVM and
	 * ipmitool need */
	static const char *const always[] = { "ext4",   "af_packet",
					      "sd_mod", "md_mod",
					      "dm_mod", "ipmi_devintf" };
	struct names seen = { 0 };
	struct batch b = { 0 };
	int round, quiet = 0;
	size_t i;

	for (i = 0; i < sizeof(always) / sizeof(*always); i++)
		want(&b, always[i]);
	for (round = 0; round < ROUNDS_MAX && quiet < QUIET_ROUNDS; round++) {
		struct timespec pause = { 0, ROUND_MS * 1000000L };
		size_t before = seen.len;
		int dir = open(sys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0)
			walk(dir, 0, &seen, &b);
		modprobe(&b);
		quiet = seen.len == before ? quiet + 1 : 0;
		nanosleep(&pause, NULL);
	}
	names_drop(&seen);
}
