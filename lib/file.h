#ifndef LIB_FILE_H
#define LIB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/stat.h>

#include "lib/err.h"

/* Read a whole file of at most `max` bytes. ERR_SYS when the kernel says no,
 * ERR_INPUT when it is larger. *text is NUL-terminated, owned by the caller;
 * `len` may be NULL, then a NUL byte inside the file is ERR_INPUT too. */
int file_read(const char *path, size_t max, char **text, size_t *len,
	      struct err *e);

/* Replace a file atomically and durably: a new file in the same directory,
 * fsync, rename over `path`, fsync of the directory. The reader sees the old
 * bytes or the new ones. Owner and mode of an existing file are kept, else
 * `mode` is used. On failure the old file is untouched. ERR_SYS. */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode,
		 struct err *e);

/* Write a file without the promise above (created with `mode`, truncated,
 * parent directories made). ERR_SYS. */
int file_write(const char *path, const void *bytes, size_t len, mode_t mode,
	       struct err *e);

/* Append bytes, creating the file with `mode`. ERR_SYS. */
int file_append(const char *path, const void *bytes, size_t len, mode_t mode,
		struct err *e);

/* Make a directory and its parents (like mkdir -p). ERR_SYS. */
int dir_make(const char *path, mode_t mode, struct err *e);

/* Owner, group and mode of `like` for an open file. Only root can give a file
 * away, and others only to a group of theirs: what they cannot keep is no
 * failure. -1 with errno. */
int fd_look_like(int fd, const struct stat *like);

/* Remove a directory with all that is below it, following no link; what is
 * mounted in it stays (lib/remove.h). Nothing there is no failure. ERR_SYS,
 * ERR_REFUSED. */
int dir_remove(const char *path, struct err *e);

/* As many bytes as there are from offset `from` on, `room` at most, whatever
 * pread(2) gives at once. -1 with errno. */
ssize_t fd_pread_all(int fd, void *at, size_t room, off_t from);

/* All of `bytes` to `fd`, whatever write(2) takes at once. ERR_SYS. */
int fd_write_all(int fd, const void *bytes, size_t len, struct err *e);

bool file_exists(const char *path);
/* A directory, and no link to one. */
bool dir_exists(const char *path);

/* First line of a small file below `root` (sysfs and such), blanks at the end
 * removed, or NULL when it cannot be read. `root` may be "". Owned. */
char *file_line(const char *root, const char *path);

/* The names in a directory without "." and "..", sorted by byte value, as a
 * NULL-terminated array; free with names_free. NULL with errno when it cannot
 * be read, or not to its end. */
char **dir_names(const char *path);
/* The same where an empty list would be believed: a directory that is not there
 * has no names, one that cannot be read is ERR_SYS. `*names` is owned. */
int dir_list(const char *path, char ***names, struct err *e);
void names_free(char **names);

/* A name from outside that may become part of a path: [A-Za-z0-9._-], 1 to
 * 64 bytes, no leading dot. */
bool name_is_safe(const char *name);

#endif
