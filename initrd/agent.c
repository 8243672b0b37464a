/* The program of the initrd: the agent and, under its other name, the command
 * `edeploy` that an installed machine gets. One file, because most of either is
 * the libraries that both stand on. */
#include "lib/base.h"

#include "agent/main.h"
#include "host/main.h"

int
main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	return str_eq(name, "edeploy") ? host_main(argc, argv)
				       : agent_main(argc, argv);
}
