/*
 * lane initramfs NAME=FILE...: writes an initramfs of these files to standard output, a cpio
 * archive in the kernel's format ("newc"). Few machines have cpio(1).
 */
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names and contents are padded to a multiple of four. */
static void put_padded(const char *bytes, size_t length)
{
	fwrite(bytes, 1, length, stdout);
	for (; length % 4; length++)
		putchar(0);
}

static void put_entry(const char *name, unsigned mode, const char *bytes, size_t length)
{
	static unsigned inode;
	printf("070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", ++inode, mode, 0, 0, 1, 0,
	       length, 0, 0, 0, 0, strlen(name) + 1, 0);
	/* The head, of 110 bytes, and the name are padded together. */
	fwrite(name, 1, 2, stdout);
	put_padded(name + 2, strlen(name) - 1);
	put_padded(bytes, length);
}

/* The kernel makes no folders by itself. A folder that is there already is no error to it. */
static void put_folders(char *name)
{
	for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		put_entry(name, S_IFDIR | 0755, "", 0);
		*slash = '/';
	}
}

int initramfs_main(char **entries)
{
	for (; *entries; entries++) {
		size_t length;
		char *file = strchr(*entries, '=');
		if (!file)
			fail("initramfs: %s is not NAME=FILE", *entries);
		*file++ = 0;
		char *bytes = slurp(AT_FDCWD, file, &length);
		if (!bytes)
			fail("cannot read %s: %s", file, strerror(errno));
		put_folders(*entries);
		put_entry(*entries, S_IFREG | 0755, bytes, length);
		free(bytes);
	}
	put_entry("TRAILER!!!", 0, "", 0);
	if (fflush(stdout) || ferror(stdout))
		fail("cannot write the initramfs: %s", strerror(errno));
	return 0;
}
