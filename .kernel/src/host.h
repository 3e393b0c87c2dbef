/* The supervisor's parts, all on the host. */
#ifndef HOST_H
#define HOST_H

#include "lane.h"

/* job.c: the folder that describes the command to the guest */
struct job {
	char dir[4096];
	int fd;
	const char *memory; /* the folder behind a UML guest's memory */
	struct folders {    /* writable in the guest, none inside another */
		char *path[64];
		int count;
	} writable;
};
void job_create(struct job *job, const struct request *request, int tty_mask);

/* terminal.c */
enum input {
	INPUT_NONE,     /* read as empty */
	INPUT_PLAIN,    /* bytes, passed on as they come */
	INPUT_TERMINAL, /* a terminal, used by the guest alone */
};
enum input terminal_use(void);
void terminal_raw(void);
void terminal_restore(void);
int terminal_size(uint32_t size[2]);

/* memory.c: size and host folder of a guest's memory */
const char *memory_size(void);
const char *memory_folder(const char *last_resort);

/* affinity.c */
int claim_cpu(void);

/* start.c: setup common to both kinds of guest */
enum { CHANNEL_FD = 3, CONSOLE_FD = 4 }; /* descriptors of the guest's process */
void start_ready(const struct job *job, int channel);
char *word(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* uml.c and qemu.c: turn this process into the guest; `channel` is the guest's end */
_Noreturn void uml_exec(const struct request *request, const struct job *job, int channel, int cpu);
_Noreturn void qemu_exec(const struct request *request, const struct job *job, int channel);

/* reaper.c: the guest's parent, which outlives the supervisor */
struct reaper {
	pid_t pid;
	pid_t guest;  /* also the guest's process group */
	int lifeline; /* closing it ends the guest */
	int report;   /* delivers the guest's wait status */
};
void reaper_start(struct reaper *reaper, const struct request *request, const struct job *job,
                  int channel, int other_end);
void reaper_stop(struct reaper *reaper);

/* streams.c: the host's side of the three standard streams */
struct outlet {
	int fd;
	uint8_t room, shut; /* types of the frames about this stream */
	int closed;
	uint32_t written;   /* since the last report to the guest */
	size_t start, end;
	uint8_t bytes[OUT_WINDOW];
};
struct sender {
	int fd;
	size_t start, end;
	uint8_t bytes[64 * 1024];
};
struct inlet {
	int open, raw;
	uint32_t number;     /* of the next chunk file */
	uint32_t removed;    /* chunk files below this number are removed */
	size_t outstanding;  /* sent, not taken */
	uint64_t escape[3];  /* times of the last three Ctrl-] */
};
void sender_put(struct sender *sender, uint8_t type, const void *data, size_t length);
void sender_put_u32(struct sender *sender, uint8_t type, uint32_t a, uint32_t b);
int sender_flush(struct sender *sender);
int outlet_put(struct outlet *outlet, const struct frame *frame);
void outlet_flush(struct outlet *outlet, struct sender *sender);
int inlet_wants(const struct inlet *inlet, const struct sender *sender);
int inlet_read(struct inlet *inlet, struct sender *sender, const struct job *job);

void inlet_took(struct inlet *inlet, const struct job *job, uint32_t bytes, uint32_t files);

/* run.c */
struct run {
	const struct request *request;
	struct job job;
	struct reaper reaper;
	struct inbox inbox;
	struct sender sender;
	struct outlet out, err;
	struct inlet in;
	int signals;
	int up;    /* the guest is ready */
	int ended; /* later frames are ignored */
	int code;  /* exit status, for when the output is written */
};
extern struct run run;
void finish(int code);
void send_size(void);

/* teardown.c: signals, time limits and the guest's death */
int signals_set_up(void);
void signals_handle(void);
void end_by(int number, int group);
void time_set_up(void);
void time_check(void);
int time_to_wait(void);
int final_code(void);
void report_death(void);

#endif
