/*
 * How long each echo of the client took: a histogram whose buckets are 1/64 of their values wide.
 *
 * Messages of an association come back in order, so a ring of times tells when each was sent.
 */
enum { STEPS = 64, BUCKETS = 64 * STEPS };

static long histogram[BUCKETS], counted;

static void note_latency(unsigned long long time)
{
	int power = time < STEPS ? 0 : 63 - __builtin_clzll(time) - 5;
	histogram[power * STEPS + (time >> power) % STEPS]++;
	counted++;
}

static void forget_latencies(void)
{
	memset(histogram, 0, sizeof histogram);
	counted = 0;
}

/* The time that this share of the echoes did not exceed; 0 if there were none. */
static long long percentile(double share)
{
	long wanted = (long)(share * counted), seen = 0;
	for (int i = 0; i < BUCKETS; i++)
		if ((seen += histogram[i]) > wanted)
			return ((long long)(i % STEPS)) << (i / STEPS);
	return 0;
}

static void note_sent(struct peer *peer, int count, long long time)
{
	peer->flying += count;
	for (; count; count--) {
		peer->times[peer->newest] = time;
		peer->newest = peer->newest == in_flight ? 0 : peer->newest + 1;
	}
}

static void note_echo(struct peer *peer, long long time, int stopping)
{
	peer->flying--;
	note_latency(time - peer->times[peer->oldest]);
	peer->oldest = peer->oldest == in_flight ? 0 : peer->oldest + 1;
	peer->owed += !stopping;
	echoes++;
}
