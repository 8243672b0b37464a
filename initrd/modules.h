#ifndef INITRD_MODULES_H
#define INITRD_MODULES_H

/* Load the modules that the devices below `sys` ("/sys/devices") ask for,
 * again and again, as a controller shows new devices, until nothing new came
 * for a second (half a minute at most). */
void modules_load(const char *sys);

#endif
