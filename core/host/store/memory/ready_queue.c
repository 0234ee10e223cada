/* Decides which of the stored events may run next: the order within each account, in memory. */
#include "ready_queue.h"

#include "common/hash.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64 /* a power of 2, as all capacities are */

typedef struct {
  int64_t id;
  uint64_t account;
} ready_event;

/* An event that waits for an earlier one of its account; 0 is no node. */
typedef struct {
  int64_t id;
  uint32_t next;
} waiting_event;

/* An account that has an event which may run, runs, or waits for its retry. */
typedef struct {
  uint64_t key; /* 0: the slot is free */
  uint32_t first, last;
} account_slot;

typedef struct {
  ready_event *events; /* a ring */
  size_t capacity, first, count;
} event_ring;

struct ready_queue {
  uint64_t seed;
  event_ring ready;
  event_ring parked[EVENT_ORDER_LISTS];
  account_slot *accounts; /* open addressing, at most half full */
  size_t account_capacity, account_count;
  waiting_event *waiting;
  uint32_t waiting_capacity, waiting_used, waiting_free;
  size_t waiting_count; /* with those that are parked */
};

uint64_t ready_queue_key(const ready_queue *order, const char *account_id) {
  if (account_id == NULL) {
    return 0;
  }
  uint64_t key = hash_bytes(order->seed, account_id, strlen(account_id));
  return key != 0 ? key : 1;
}

ready_queue *ready_queue_new(void) {
  ready_queue *order = calloc(1, sizeof *order);
  if (order != NULL) {
    order->seed = hash_seed();
    order->waiting_used = 1;
  }
  return order;
}

void ready_queue_clear(ready_queue *order) {
  free(order->ready.events);
  for (int i = 0; i < EVENT_ORDER_LISTS; i++) {
    free(order->parked[i].events);
  }
  free(order->accounts);
  free(order->waiting);
  *order = (ready_queue){.seed = order->seed, .waiting_used = 1};
}

void ready_queue_free(ready_queue *order) {
  if (order != NULL) {
    ready_queue_clear(order);
    free(order);
  }
}

size_t ready_queue_ready(const ready_queue *order) {
  return order->ready.count;
}

size_t ready_queue_waiting(const ready_queue *order) {
  return order->waiting_count;
}

/* ---- What may run ---- */

static bool reserve(event_ring *ring) {
  if (ring->count < ring->capacity) {
    return true;
  }
  size_t capacity = ring->capacity > 0 ? ring->capacity * 2 : FIRST_CAPACITY;
  ready_event *grown = malloc(capacity * sizeof *grown);
  if (grown == NULL) {
    return false;
  }
  for (size_t i = 0; i < ring->count; i++) {
    grown[i] = ring->events[(ring->first + i) & (ring->capacity - 1)];
  }
  free(ring->events);
  *ring = (event_ring){.events = grown, .capacity = capacity, .count = ring->count};
  return true;
}

static bool push(event_ring *ring, uint64_t account, int64_t id) {
  if (!reserve(ring)) {
    return false;
  }
  size_t at = (ring->first + ring->count++) & (ring->capacity - 1);
  ring->events[at] = (ready_event){.id = id, .account = account};
  return true;
}

static int64_t pop(event_ring *ring, uint64_t *account) {
  if (ring->count == 0) {
    return 0;
  }
  ready_event next = ring->events[ring->first];
  ring->first = (ring->first + 1) & (ring->capacity - 1);
  ring->count--;
  *account = next.account;
  return next.id;
}

/* ---- Accounts ---- */

static account_slot *find_slot(const ready_queue *order, uint64_t key) {
  size_t mask = order->account_capacity - 1;
  size_t at = (size_t)key & mask;
  while (order->accounts[at].key != 0 && order->accounts[at].key != key) {
    at = (at + 1) & mask;
  }
  return &order->accounts[at];
}

static account_slot *find(const ready_queue *order, uint64_t key) {
  account_slot *slot = order->account_capacity > 0 ? find_slot(order, key) : NULL;
  return slot != NULL && slot->key == key ? slot : NULL;
}

static bool reserve_account(ready_queue *order) {
  size_t old_capacity = order->account_capacity;
  if (order->account_count * 2 < old_capacity) {
    return true;
  }
  account_slot *old = order->accounts;
  size_t capacity = old_capacity > 0 ? old_capacity * 2 : FIRST_CAPACITY;
  account_slot *grown = calloc(capacity, sizeof *grown);
  if (grown == NULL) {
    return false;
  }
  order->accounts = grown;
  order->account_capacity = capacity;
  for (size_t i = 0; i < old_capacity; i++) {
    if (old[i].key != 0) {
      *find_slot(order, old[i].key) = old[i];
    }
  }
  free(old);
  return true;
}

static bool add_account(ready_queue *order, uint64_t key) {
  if (!reserve_account(order)) {
    return false;
  }
  *find_slot(order, key) = (account_slot){.key = key};
  order->account_count++;
  return true;
}

/* The entries after a freed slot move up, as linear probing requires. */
static void remove_account(ready_queue *order, account_slot *slot) {
  size_t mask = order->account_capacity - 1;
  size_t hole = (size_t)(slot - order->accounts);
  for (size_t at = (hole + 1) & mask; order->accounts[at].key != 0; at = (at + 1) & mask) {
    size_t home = (size_t)order->accounts[at].key & mask;
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      order->accounts[hole] = order->accounts[at];
      hole = at;
    }
  }
  order->accounts[hole].key = 0;
  order->account_count--;
}

/* ---- Events that wait for an earlier one ---- */

/* 0: out of memory. */
static uint32_t new_waiting(ready_queue *order) {
  uint32_t node = order->waiting_free;
  if (node != 0) {
    order->waiting_free = order->waiting[node].next;
    return node;
  }
  if (order->waiting_used >= order->waiting_capacity) {
    if (order->waiting_capacity > UINT32_MAX / 2) {
      return 0;
    }
    uint32_t capacity = order->waiting_capacity > 0 ? order->waiting_capacity * 2 : FIRST_CAPACITY;
    waiting_event *grown = realloc(order->waiting, capacity * sizeof *grown);
    if (grown == NULL) {
      return 0;
    }
    order->waiting = grown;
    order->waiting_capacity = capacity;
  }
  return order->waiting_used++;
}

static bool add_waiting(ready_queue *order, account_slot *slot, int64_t id) {
  uint32_t node = new_waiting(order);
  if (node == 0) {
    return false;
  }
  order->waiting[node] = (waiting_event){.id = id};
  if (slot->first == 0) {
    slot->first = node;
  } else {
    order->waiting[slot->last].next = node;
  }
  slot->last = node;
  order->waiting_count++;
  return true;
}

/* ---- The interface ---- */

bool ready_queue_add(ready_queue *order, uint64_t account, int64_t id) {
  if (account == 0) {
    return push(&order->ready, 0, id);
  }
  account_slot *slot = find(order, account);
  if (slot != NULL) {
    return add_waiting(order, slot, id);
  }
  return add_account(order, account) && push(&order->ready, account, id);
}

bool ready_queue_add_busy(ready_queue *order, uint64_t account) {
  return account == 0 || find(order, account) != NULL || add_account(order, account);
}

int64_t ready_queue_take(ready_queue *order, uint64_t *account) {
  return pop(&order->ready, account);
}

bool ready_queue_requeue(ready_queue *order, uint64_t account, int64_t id) {
  event_ring *ready = &order->ready;
  if (!reserve(ready)) {
    return false;
  }
  ready->first = (ready->first - 1) & (ready->capacity - 1);
  ready->count++;
  ready->events[ready->first] = (ready_event){.id = id, .account = account};
  return true;
}

bool ready_queue_park(ready_queue *order, int list, uint64_t account, int64_t id) {
  bool ok = push(&order->parked[list], account, id);
  order->waiting_count += ok;
  return ok;
}

int64_t ready_queue_unpark(ready_queue *order, int list, uint64_t *account) {
  order->waiting_count -= order->parked[list].count > 0;
  return pop(&order->parked[list], account);
}

size_t ready_queue_parked(const ready_queue *order, int list) {
  return order->parked[list].count;
}

bool ready_queue_end(ready_queue *order, uint64_t account) {
  account_slot *slot = account != 0 ? find(order, account) : NULL;
  if (slot == NULL) {
    return true;
  }
  uint32_t node = slot->first;
  if (node == 0) {
    remove_account(order, slot);
    return true;
  }
  if (!push(&order->ready, account, order->waiting[node].id)) {
    return false;
  }
  slot->first = order->waiting[node].next;
  order->waiting[node].next = order->waiting_free;
  order->waiting_free = node;
  order->waiting_count--;
  return true;
}
