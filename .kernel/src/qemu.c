/*
 * Starts a guest of the kind SMP: QEMU, a machine with several processors, emulated in software or
 * by the processor (KVM). It boots a distribution's ordinary kernel with an initramfs that `run` has
 * made. smp.c is the guest's part of it.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MOST_WORDS = 96,
	MOST_FOLDERS = 24, /* each is a device, and the bus has about 30 slots */
};

#ifdef __aarch64__
#define PROGRAM "qemu-system-aarch64"
#define MACHINE "virt"
#define CONSOLE "ttyAMA0"
#define LIBRARIES "aarch64-linux-gnu"
#define ARCHITECTURE_LINE ""
#define EMULATOR_LINE ""
#else
#define PROGRAM "qemu-system-x86_64"
#define MACHINE "q35"
#define CONSOLE "ttyS0"
#define LIBRARIES "x86_64-linux-gnu"
/* Leaves out a search for more buses. */
#define ARCHITECTURE_LINE " pci=lastbus=0"
/* Leaves out measuring the time stamp counter and the delay loop, which is slow and wrong in an
 * emulator. */
#define EMULATOR_LINE " tsc=reliable lpj=4000000 no_timer_check"
#endif

struct words {
	char *word[MOST_WORDS + 1];
	int count;
};

static void add(struct words *words, char *option, char *value)
{
	words->word[words->count++] = option;
	words->word[words->count++] = value;
}

/* Escapes a path for use within an option, where a comma is written twice. */
static char *option_path(const char *path)
{
	char *text = malloc(2 * strlen(path) + 1), *to = text;
	if (!text)
		fail("out of memory");
	for (; *path; path++) {
		*to++ = *path;
		if (*path == ',')
			*to++ = ',';
	}
	*to = 0;
	return text;
}

static void add_folder(struct words *words, const char *tag, const char *path, int writable)
{
	add(words, "-virtfs", word("local,path=%s,mount_tag=%s,security_model=none,multidevs=remap,readonly=%s",
	                           option_path(path), tag, writable ? "off" : "on"));
}

static int processors(void)
{
	const char *value = getenv("SCTP_KERNEL_CPUS");
	char *end;
	long count = value && *value ? strtol(value, &end, 10) : 2;
	if (value && *value && (*end || count < 1 || count > 64))
		fail("SCTP_KERNEL_CPUS=%s is not a number from 1 to 64", value);
	return (int)count;
}

/* KVM has run nowhere yet: where this was written, it is refused. */
static int is_emulated(void)
{
	const char *accelerator = getenv("SCTP_KERNEL_ACCEL");
	return !accelerator || strcmp(accelerator, "kvm");
}

static char *kernel_line(const struct job *job)
{
	char self[4096] = "";
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		fail("/proc/self/exe: %s", strerror(errno));
	char *line = word("lane_kind=smp lane_init=\"%s\" lane_job=\"%s\" console=" CONSOLE " quiet loglevel=1 panic=-1 "
	                  /* Left out as well: tests of ciphers, and the wait for randomness. */
	                  "nokaslr rcupdate.rcu_expedited=1 cryptomgr.notests=1 random.trust_cpu=on"
	                  ARCHITECTURE_LINE "%s", self, job->dir,
	                  /* And mitigations for hardware that is emulated. */
	                  is_emulated() ? " mitigations=off" EMULATOR_LINE : "");
	if (strlen(line) >= 2048)
		fail("the paths of the lane and the job folder exceed the kernel's command line");
	return line;
}

/* Picks the fetched QEMU, which has its own libraries and firmware, else the installed one. */
static void find_qemu(struct words *words, const struct request *request)
{
	char *folder = word("%s/smp/qemu/usr", request->target);
	char *program = word("%s/bin/" PROGRAM, folder);
	int fetched = !access(program, X_OK);
	words->word[words->count++] = fetched ? program : PROGRAM;
	if (!fetched)
		return;
	add(words, "-L", word("%s/share/seabios", folder));
	add(words, "-L", word("%s/share/qemu", folder));
	setenv("LD_LIBRARY_PATH", word("%s/lib/" LIBRARIES ":%s/../lib/" LIBRARIES, folder, folder), 1);
	setenv("QEMU_MODULE_DIR", word("%s/lib/" LIBRARIES "/qemu", folder), 1);
}

void qemu_exec(const struct request *request, const struct job *job, int channel)
{
	struct words words = {0};
	find_qemu(&words, request);
	if (job->writable.count > MOST_FOLDERS)
		fail("%d writable folders, this kind of guest takes %d", job->writable.count, MOST_FOLDERS);
	add(&words, "-accel", is_emulated() ? "tcg,thread=multi" : "kvm");
	add(&words, "-cpu", "max");
	add(&words, "-M", MACHINE);
	add(&words, "-m", word("%s", memory_size()));
	add(&words, "-smp", word("%d", processors()));
	add(&words, "-nodefaults", "-no-user-config");
	add(&words, "-display", "none");
	add(&words, "-action", "reboot=shutdown");
	add(&words, "-kernel", word("%s", request->kernel));
	add(&words, "-initrd", word("%s/smp/initramfs", request->target));
	add(&words, "-append", kernel_line(job));
	add(&words, "-serial", "chardev:console");
	add(&words, "-chardev", word("file,id=console,append=on,path=%s/console", option_path(job->dir)));
	add(&words, "-chardev", word("socket,id=line,fd=%d", CHANNEL_FD));
	add(&words, "-device", "virtio-serial-pci");
	add(&words, "-device", "virtserialport,chardev=line,name=lane");
	add_folder(&words, "root", "/", 0);
	for (int i = 0; i < job->writable.count; i++)
		add_folder(&words, word("rw%d", i), job->writable.path[i], 1);
	start_ready(job, channel);
	execvp(words.word[0], words.word);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", words.word[0], strerror(errno));
	_exit(LANE_FAILED);
}
