#ifndef AGENT_MAIN_H
#define AGENT_MAIN_H

/* The program edeploy-agent; its exit code. */
int agent_main(int argc, char **argv);

#endif
