/* Alerts about dead letters: events of the store's own, one for all that die within a window, which
 * a worker sends. They are stored in the transactions that end the dead ones. */
#ifndef PALENCA_HOST_STORE_SQLITE_ALERTS_H
#define PALENCA_HOST_STORE_SQLITE_ALERTS_H

#include <stdint.h>

#define EVENT_ALERT "palenca.alert" /* their action; their body is that of no webhook */
#define EVENT_ALERT_IDS 20          /* that an alert names; it counts all */

typedef struct {
  int64_t window; /* milliseconds from the first dead letter to the alert; 0: there are none */
  int64_t id;     /* the last alert that was stored; 0: none by this process */
  int64_t since, count;
  int64_t ids[EVENT_ALERT_IDS];
} event_alerts;

#endif
