#ifndef SPECS_NUMBER_H
#define SPECS_NUMBER_H

#include <stdbool.h>

/* Read a number as profiles and facts write it: decimal, with fraction,
 * exponent or sign, blanks around it, or inf. Hexadecimal, digits with
 * underscores and nan are no numbers. Integers of 64 bits stay exact where
 * long double has 64 bits of mantissa (x86, aarch64). */
bool number_read(const char *text, long double *out);

#endif
