// shift.c, preloaded into redis-server: the wall clock is off by as many microseconds as the file CLOCK_SHIFT says.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift;

__attribute__((constructor)) static void map(void) {
	int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);
	void *at = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || at == MAP_FAILED) abort();
	close(fd);
	shift = at;
}

// The system is called as such: looking the C library's function up would allocate, and the allocator asks for the time.
int clock_gettime(clockid_t clock, struct timespec *t) {
	int failed = syscall(SYS_clock_gettime, clock, t);
	if (!failed && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
		int64_t ns = t->tv_nsec + *shift % 1000000 * 1000;
		t->tv_sec += *shift / 1000000 + (ns < 0 ? -1 : ns / 1000000000);
		t->tv_nsec = (ns + 1000000000) % 1000000000;
	}
	return failed;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
	struct timespec now;
	(void)zone;
	int failed = clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return failed;
}

time_t time(time_t *t) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (t) *t = now.tv_sec;
	return now.tv_sec;
}
