/* A program that a version brings, for tests: static, since a root of a test
 * holds nothing else. As systemctl it writes down what it was asked, and knows
 * of no unit that is called gone; else it waits until it is killed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	FILE *calls;
	int i;

	if (!strstr(argv[0], "systemctl")) {
		puts("up");
		fflush(stdout);
		for (;;)
			pause();
	}
	if (argc == 4 && strcmp(argv[1], "cat") == 0)
		return strcmp(argv[3], "gone.service") == 0;
	calls = fopen("/var/lib/calls", "a");
	if (!calls)
		return 1;
	for (i = 1; i < argc; i++)
		fprintf(calls, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
	return fclose(calls) == 0 ? 0 : 1;
}
