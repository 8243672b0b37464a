#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since 1970 (for people and records). */
int64_t clock_wall_ms(void);

/* Milliseconds since boot (for durations and deadlines). */
int64_t clock_boot_ms(void);

/* 2026-11-21T01:02:03Z */
void clock_text(int64_t wall_ms, char out[24]);

/* The moment `ms` from now on CLOCK_MONOTONIC, for timed waits. */
struct timespec clock_in(int64_t ms);

#endif
