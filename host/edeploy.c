/* The command of a deployed host. */
#include "host/main.h"

int
main(int argc, char **argv)
{
	return host_main(argc, argv);
}
