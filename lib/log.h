#ifndef LIB_LOG_H
#define LIB_LOG_H

/* The one log of a program, on stderr: plain lines, or with <N> level
 * prefixes for the journal when JOURNAL_STREAM is set. Control bytes are
 * shown as \xNN. Only programs (floors 2 and up) log; libraries return. */
enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

void log_open(const char *program, enum log_level most);
void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
