#ifndef HOST_MAIN_H
#define HOST_MAIN_H

/* The program edeploy; its exit code. */
int host_main(int argc, char **argv);

#endif
