/* Reading sysfs below a root. A missing file is the usual case, not a
 * failure: drivers differ in what they tell. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/sysfs.h"
#include "lib/base.h"
#include "lib/file.h"
#include "lib/text.h"

#define SYS_MAX_BYTES (64 * 1024)

/* `out` becomes root and path; false when that is too long for a path. */
__attribute__((format(printf, 3, 0))) static bool
path_make(char out[PATH_MAX], const char *root, const char *fmt, va_list ap)
{
	int head = snprintf(out, PATH_MAX, "%s", root);
	int tail;

	if (head < 0 || head >= PATH_MAX)
		return false;
	tail = vsnprintf(out + head, (size_t)(PATH_MAX - head), fmt, ap);
	return tail >= 0 && tail < PATH_MAX - head;
}

#define PATH_FROM_ARGS(path, root, fmt)                                        \
	({                                                                     \
		va_list ap_;                                                   \
		bool fits_;                                                    \
		va_start(ap_, fmt);                                            \
		fits_ = path_make(path, root, fmt, ap_);                       \
		va_end(ap_);                                                   \
		fits_;                                                         \
	})

static char *
read_text(const char *path)
{
	struct err e = { 0 };
	char *text = NULL;

	/* A length, since a binary attribute may hold NUL bytes. */
	size_t len;

	if (file_read(path, SYS_MAX_BYTES, &text, &len, &e) < 0)
		return NULL;
	return text;
}

char *
sys_line(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	AUTO_FREE char *text = NULL;
	char *line;

	if (!PATH_FROM_ARGS(path, root, fmt) || !(text = read_text(path)))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	line = text_trim(text);
	return *line ? base_strdup(line) : NULL;
}

char *
sys_text(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];

	return PATH_FROM_ARGS(path, root, fmt) ? read_text(path) : NULL;
}

/* Without the root; NULL when the link left it. */
static char *
real_below(const char *root, const char *path)
{
	char real[PATH_MAX], top[PATH_MAX] = "";
	size_t len;

	if (!realpath(path, real) || (*root && !realpath(root, top)))
		return NULL;
	len = strlen(top);
	if (strncmp(real, top, len) != 0 || real[len] != '/')
		return NULL;
	return base_strdup(real + len);
}

char *
sys_real(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];

	return PATH_FROM_ARGS(path, root, fmt) ? real_below(root, path) : NULL;
}

char *
sys_link_name(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX], to[PATH_MAX];
	ssize_t n;
	char *slash;

	if (!PATH_FROM_ARGS(path, root, fmt))
		return NULL;
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return NULL;
	to[n] = '\0';
	slash = strrchr(to, '/');
	return base_strdup(slash ? slash + 1 : to);
}

bool
sys_exists(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];

	return PATH_FROM_ARGS(path, root, fmt) && file_exists(path);
}

int
natural_cmp(const char *a, const char *b)
{
	while (*a && *b) {
		size_t na, nb;

		if (!isdigit((unsigned char)*a) ||
		    !isdigit((unsigned char)*b)) {
			if (*a != *b)
				return (unsigned char)*a - (unsigned char)*b;
			a++, b++;
			continue;
		}
		a += strspn(a, "0"), b += strspn(b, "0");
		na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
		if (na != nb)
			return na < nb ? -1 : 1;
		if (memcmp(a, b, na) != 0)
			return memcmp(a, b, na);
		a += na, b += nb;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

static int
by_nature(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;
	int order = natural_cmp(*x, *y);

	return order ? order : strcmp(*x, *y);
}

char **
sys_names(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	char **names = NULL;
	size_t len = 0;

	if (PATH_FROM_ARGS(path, root, fmt))
		names = dir_names(path);
	if (!names)
		return base_alloc(sizeof(*names));
	while (names[len])
		len++;
	qsort(names, len, sizeof(*names), by_nature);
	return names;
}

void
fact_take(struct facts *f, const char *cls, const char *name,
	  const char *property, char *value)
{
	if (value && *value)
		facts_add(f, cls, name, property, value);
	free(value);
}
