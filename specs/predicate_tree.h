#ifndef SPECS_PREDICATE_TREE_H
#define SPECS_PREDICATE_TREE_H

/* The inside of a predicate: what reading and evaluating share. */
#include "specs/network.h"
#include "specs/predicate.h"
#include "specs/regexp.h"

/* The numbers' first. */
enum test {
	TEST_GT,
	TEST_GE,
	TEST_LT,
	TEST_LE,
	TEST_RANGE,
	TEST_IN,
	TEST_REGEXP,
	TEST_NETWORK,
	TEST_NOT,
	TEST_AND,
	TEST_OR,
};

struct predicate {
	enum test test;
	long double number[2];
	struct network network;
	struct regexp *regexp;
	char *source;            /* of regexp() */
	char **text;             /* of in() */
	struct predicate **part; /* of not(), and(), or() */
	size_t len;
};

#endif
