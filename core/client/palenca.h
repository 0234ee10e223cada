/* palenca.h: the client for the Palenca API, without Lua and without JSON.
 *
 * Two halves. The protocol functions are pure: they depend on their arguments only. The engine
 * carries calls out: it waits for its turn under the rate limit, sends, retries idempotent requests
 * and returns the response. It never blocks longer than its caller allows, and belongs to one
 * thread at a time.
 *
 * Facts about the API (limits, headers, statuses) are those of its public documentation. Times are
 * milliseconds unless a name says otherwise.
 */
#ifndef PALENCA_H
#define PALENCA_H

#include "buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The library is linked statically. Its names are not to be seen outside of the program or module
 * that it becomes a part of, which may be loaded by a program with the same names. */
#pragma GCC visibility push(hidden)

#ifdef __cplusplus
extern "C" {
#endif

#define PALENCA_VERSION "0.1.0"

/* The servers of the API: production, and the vendor's hosted sandbox. */
#define PALENCA_BASE_URL_PRODUCTION "https://api.palenca.com"
#define PALENCA_BASE_URL_SANDBOX "https://sandbox.palenca.com"

/* The API allows 120 requests in a window of 60 s for each key. */
#define PALENCA_RATE_LIMIT_DEFAULT 120
#define PALENCA_RATE_WINDOW_MS 60000
#define PALENCA_RATE_LIMIT_MAX 100000
#define PALENCA_TIMEOUT_DEFAULT_MS 30000
#define PALENCA_MAX_RETRIES_DEFAULT 3
#define PALENCA_MAX_RETRIES_MAX 100
#define PALENCA_MAX_RESPONSE_DEFAULT ((size_t)16 * 1024 * 1024)

/* ---- errors ---------------------------------------------------------------- */

typedef enum {
  PALENCA_OK = 0,
  PALENCA_NETWORK,      /* no connection, or it broke */
  PALENCA_TIMEOUT,      /* no complete response in time */
  PALENCA_RATE_LIMITED, /* 429 */
  PALENCA_AUTH,         /* the key is missing, wrong or may not do this: 401, 403 */
  PALENCA_INVALID,      /* the request was rejected: any other 4xx */
  PALENCA_NOT_FOUND,    /* 404 */
  PALENCA_PLATFORM,     /* the worker's platform failed or rejected it */
  PALENCA_SERVER,       /* 5xx */
  PALENCA_PROTOCOL,     /* a response that cannot be understood */
  PALENCA_USAGE,        /* a mistake of the calling code; nothing was sent */
  PALENCA_NO_MEMORY,
} palenca_kind;

/* "network", "timeout", …; NULL for PALENCA_OK. */
const char *palenca_kind_name(palenca_kind kind);

/* Functions that take a pointer to one accept NULL; they fill it on failure and
 * leave it alone otherwise. Those that check a text reject NULL, as getenv returns it. */
typedef struct {
  palenca_kind kind;
  char message[256]; /* never holds a header value or a body */
} palenca_error;

/* ---- protocol: URLs and headers -------------------------------------------- */

/* Checks a base URL: http or https, a host that is a name, an IPv6 address in
 * brackets or four decimal numbers, an optional port and path; no user name,
 * query or fragment. Plain http is accepted for loopback hosts only, unless
 * `allow_http`. */
bool palenca_base_url_check(const char *url, bool allow_http, palenca_error *error);

/* Checks any http or https URL, so that every reader of it finds the same host: such a host and
 * port as in a base URL, a user name and password, percent-encoded, and no spaces, control
 * characters or backslashes. The engine sends no request to another one. */
bool palenca_url_check(const char *url, palenca_error *error);

/* Whether the host of a URL that passes palenca_url_check is this machine: localhost or a loopback
 * address. */
bool palenca_url_is_local(const char *url);

/* Appends one path segment, percent-encoded. Rejects an empty one, "." and "..". Without memory
 * a part of it may have been appended. */
bool palenca_segment_escape(const char *segment, size_t size, palenca_buffer *out,
                            palenca_error *error);

/* Checks a complete path with its query: it starts with one slash and has no control characters,
 * spaces, backslashes, bytes beyond ASCII, fragments or dot segments. */
bool palenca_path_check(const char *path, size_t size, palenca_error *error);

/* A method is upper-case letters; a header has a token as its name and no
 * control characters in its value, and both are of at most 32 KiB. Host and those that say where
 * the message ends or what becomes of the connection, such as Content-Length, are rejected: they
 * are made from the request. */
bool palenca_method_check(const char *method, palenca_error *error);
bool palenca_header_check(const char *name, const char *value, size_t value_size,
                          palenca_error *error);

/* What the API says in the headers of every response. */
typedef struct {
  char request_id[128];   /* X-Request-Id, "" if absent */
  int64_t rate_limit;     /* X-RateLimit-Limit, -1 if absent */
  int64_t rate_remaining; /* X-RateLimit-Remaining, -1 if absent */
  int64_t rate_reset;     /* X-RateLimit-Reset, Unix seconds, -1 if absent */
  int64_t retry_after_ms; /* Retry-After counted from now, -1 if absent or unreadable */
  int64_t retry_at;       /* Retry-After if it is a date, Unix seconds, else -1 */
  int64_t server_time;    /* Date, Unix seconds, -1 if absent or unreadable */
} palenca_meta;

/* Sets every field to what stands for its absence. */
void palenca_meta_clear(palenca_meta *meta);

/* Reads one header line ("Name: value", line end optional). Other headers are
 * passed over. Retry-After is seconds, with or without a fraction, or a date of
 * any of HTTP's three forms; a date is counted from the response's own Date,
 * before or after it, for clocks differ, and without one from `now_unix`
 * (seconds). */
void palenca_meta_read(palenca_meta *meta, const char *line, size_t size, int64_t now_unix);

/* Milliseconds until X-RateLimit-Reset, which is counted from Date likewise;
 * 0 if it has passed, -1 if there is none. */
int64_t palenca_meta_window_left(const palenca_meta *meta, int64_t now_unix_ms);

/* How long a 429 asks to wait, in milliseconds: until Retry-After and the end of
 * the window have both passed; -1 if it says neither. A window that ends later
 * than windows last is counted by another clock, and Retry-After alone counts
 * if there is one. */
int64_t palenca_limit_wait(int64_t retry_after_ms, int64_t window_left_ms);

/* ---- protocol: classes of responses, retries, rate limit ---------------------- */

/* The kind of a failure with this HTTP status; PALENCA_OK for 2xx,
 * PALENCA_PROTOCOL for 1xx and 3xx. */
palenca_kind palenca_status_kind(int status);

typedef struct {
  int number;        /* 1 for the first attempt */
  palenca_kind kind; /* of the transport: OK if a complete response arrived */
  int status;        /* HTTP status, 0 without a response */
  bool sent;         /* the request may have reached the server */
  bool idempotent;   /* doing it twice is the same as doing it once */
  int max_retries;
  int64_t retry_after_ms; /* -1: the server named no wait */
  int64_t window_left_ms; /* until X-RateLimit-Reset, -1 if unknown */
} palenca_attempt;

typedef struct {
  bool retry;
  int64_t wait_ms;
} palenca_decision;

/* Decides whether an attempt is repeated, and after what wait: full jitter from
 * `random`, but never less than the server asked for. A request that may have
 * had an effect is only repeated if that does no harm; 429 means it had none. */
palenca_decision palenca_retry_decide(const palenca_attempt *attempt, uint64_t random);

/* A sliding window over the times at which requests were sent. */
typedef struct {
  int64_t *sent_at; /* ring of `limit` times */
  size_t limit;
  size_t next;
  int64_t blocked_until; /* the server said: nothing before this time */
} palenca_rate_limit;

/* False without memory, or if `limit` is 0. */
bool palenca_rate_limit_init(palenca_rate_limit *state, size_t limit);
void palenca_rate_limit_free(palenca_rate_limit *state);
/* How long until a request may be sent that leaves room for `spare` more (less than the limit);
 * 0: now. Times come from any steady clock. */
int64_t palenca_rate_limit_wait(const palenca_rate_limit *state, int64_t now, size_t spare);
/* How many requests may be sent now, each of which leaves room for `spare` more. */
size_t palenca_rate_limit_left(const palenca_rate_limit *state, int64_t now, size_t spare);
/* Counts a request that is sent now. */
void palenca_rate_limit_take(palenca_rate_limit *state, int64_t now);
/* Blocks the window for as long as the server said. */
void palenca_rate_limit_block(palenca_rate_limit *state, int64_t now, int64_t wait_ms);

/* ---- protocol: pages ---------------------------------------------------------- */

/* The `pagination` object of a response. */
typedef struct {
  int64_t page;
  int64_t items_per_page;
  int64_t total_items;
  int64_t total_pages;
} palenca_page_info;

typedef enum {
  PALENCA_PAGE_OK,
  PALENCA_PAGE_CHANGED,   /* the totals differ from those of the first page */
  PALENCA_PAGE_SHORT,     /* fewer or more rows than the totals promise */
  PALENCA_PAGE_WRONG,     /* not the page that was asked for */
  PALENCA_PAGE_MALFORMED, /* numbers that contradict each other */
} palenca_page_verdict;

/* A sentence for a verdict; NULL for PALENCA_PAGE_OK. */
const char *palenca_page_verdict_text(palenca_page_verdict verdict);

/* Which pages to ask for, and whether all that the API counted arrived. The first page is
 * requested alone; it has their number. */
typedef struct {
  int64_t items_per_page; /* as the server has it, once the first page arrived */
  int64_t total_items;
  int64_t total_pages;
  int64_t requested; /* pages asked for so far */
  int64_t accepted;  /* pages accepted so far, in order */
  int64_t rows;      /* rows accepted so far */
  int64_t window;    /* pages asked for and not yet accepted, at most; may be changed meanwhile */
} palenca_paging;

void palenca_paging_init(palenca_paging *paging, int64_t window);
/* The page to ask for now, or 0: wait for a response, or there is none left. */
int64_t palenca_paging_next(palenca_paging *paging);
/* Checks the response to page `accepted + 1`; only PALENCA_PAGE_OK advances. */
palenca_page_verdict palenca_paging_accept(palenca_paging *paging, const palenca_page_info *info,
                                           int64_t rows);
/* True when every row that the API counted was accepted once. */
bool palenca_paging_complete(const palenca_paging *paging);

/* ---- protocol: JSON texts --------------------------------------------------------- */

/* What is rewritten if it is asked for, beside numbers. */
#define PALENCA_JSON_LONE_SURROGATES 1u /* half of a surrogate pair becomes \ufffd */
#define PALENCA_JSON_EMPTY_LISTS 2u     /* [] becomes [null] */

typedef enum {
  PALENCA_JSON_SAME, /* nothing was to be changed, and nothing appended */
  PALENCA_JSON_REWRITTEN,
  PALENCA_JSON_NO_MEMORY,
} palenca_json_outcome;

/* Appends a JSON text that a decoder of doubles reads without a loss: an integer beyond 2^53,
 * either way, becomes a string of the same digits, and so does a number from 1.7976931348623158e308
 * on, which would be infinite. What is in strings is left alone. A text that is not JSON is not
 * made one; nothing else is checked. With NULL for `out` it only says which of the first two it is.
 */
palenca_json_outcome palenca_json_rewrite(const char *text, size_t size, unsigned changes,
                                          palenca_buffer *out);

/* ---- protocol: webhook bodies ------------------------------------------------------ */

/* An event's action and its account are names: at most this many bytes, none of them zero.
 */
#define PALENCA_WEBHOOK_NAME_MAX 127
/* Objects and lists that are open at once. */
#define PALENCA_WEBHOOK_DEPTH_MAX 64

/* What is read of a body's `data`. */
typedef enum {
  PALENCA_WEBHOOK_ACTION, /* data.webhook_action */
  PALENCA_WEBHOOK_ACCOUNT_ID,
  PALENCA_WEBHOOK_USER_ID,
  PALENCA_WEBHOOK_EXTERNAL_ID,
  PALENCA_WEBHOOK_PLATFORM,
  PALENCA_WEBHOOK_STATUS_DETAILS,
  PALENCA_WEBHOOK_WEBHOOK_ID,
  PALENCA_WEBHOOK_FIELDS, /* how many there are */
} palenca_webhook_field;

/* A string, inside of the body. */
typedef struct {
  const char *text; /* what is between its quotes, as written; NULL: it is not there, no string,
                       empty, or "None", which is the vendor's word for nothing */
  size_t size;
  size_t decoded_size; /* less than `size` if there is anything to decode */
} palenca_webhook_text;

/* Whether a webhook's body is one: an object in strict JSON (RFC 8259) and strict UTF-8, without
 * lone surrogates, nested no deeper than the maximum, with nothing after it, that has a
 * data.webhook_action. Of a repeated key the last value counts. The error is PALENCA_INVALID, in
 * words that hold nothing of the body; then all fields are NULL. It allocates nothing, and takes
 * time in proportion to the size, whatever the body is. */
bool palenca_webhook_scan(const char *body, size_t size,
                          palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS],
                          palenca_error *error);
/* Writes the string in UTF-8, which takes decoded_size + 1 bytes with its terminating NUL. */
void palenca_webhook_decode(const palenca_webhook_text *text, char *out);

/* ---- protocol: webhook signatures ---------------------------------------------- */

#define PALENCA_SIGNATURE_MAX 160

/* How requests are signed is not public, so all of it can be set. Options that are NULL are all
 * NULL. */
typedef struct {
  const char *digest;   /* "sha1", "sha256", "sha384", "sha512"; NULL: sha256 */
  const char *encoding; /* "hex" or "base64"; NULL: hex */
  const char *prefix;   /* put before the encoded value, such as "sha256="; NULL: none */
} palenca_signature_options;

/* Writes the HMAC of `body`, encoded and prefixed, NUL-terminated. */
bool palenca_signature_make(const palenca_signature_options *options, const char *secret,
                            size_t secret_size, const char *body, size_t body_size,
                            char out[PALENCA_SIGNATURE_MAX], palenca_error *error);

/* Compares in constant time; hex is accepted in either case. */
bool palenca_signature_check(const palenca_signature_options *options, const char *secret,
                             size_t secret_size, const char *body, size_t body_size,
                             const char *signature, size_t signature_size, palenca_error *error);

/* ---- engine ------------------------------------------------------------------ */

/* Counts the requests of every key; shared by engines, whichever thread they are on. Those of
 * one process share one set, unless their options name another, which the last release frees. */
typedef struct palenca_rate_limiters palenca_rate_limiters;
/* Counts those of all processes of this user that share the same directory below `parent`, such
 * as "/dev/shm": in a small file for each key, named by its digest, that other users cannot
 * read. Made with one reference; NULL with `error` set if there can be no such directory. */
palenca_rate_limiters *palenca_rate_limiters_share(const char *parent, palenca_error *error);
palenca_rate_limiters *palenca_rate_limiters_retain(palenca_rate_limiters *rate_limiters);
/* NULL is allowed. */
void palenca_rate_limiters_release(palenca_rate_limiters *rate_limiters);

/* What this process tells those with whom it shares a key's limit, and asks of them: turns, each of
 * which is a request. They are kept for PALENCA_SHARE_HOLD_MS after the request at most; what was
 * used counts for PALENCA_SHARE_WINDOW_MS after its report, which is what is neither kept nor
 * unused of what the owner had. */
#define PALENCA_SHARE_HOLD_MS 5000
#define PALENCA_SHARE_WINDOW_MS (PALENCA_RATE_WINDOW_MS + 1000)
typedef struct {
  unsigned char digest[32]; /* SHA-256 of the rate_limit_key */
  int64_t owner;            /* above 0, random: one count of one process */
  int64_t asked_at;         /* on the owner's clock: an earlier one that comes later is void */
  int64_t limit, kept, unused;
  int64_t wanted, spare; /* beyond what is kept; so many are to be left to others */
  bool is_waiting;       /* calls wait for them */
  int64_t blocked_ms;    /* for how long the API wants none; 0: not known */
} palenca_share_request;
typedef struct {
  int64_t granted, left; /* of what was wanted; what is left for anybody */
  int64_t wait_ms;       /* after which to ask again, if nothing was granted */
  int64_t blocked_ms;    /* for all; 0: they are not */
} palenca_share_grant;
/* From now on the process's rate limiters send what they are granted only; `wake`, which must not
 * call them, is called on any thread when a request is due. NULL: each key's limit is the process's
 * again. */
void palenca_rate_limiters_divide(void (*wake)(void *context), void *context);
/* Writes up to `max` requests that are due, and returns their number: to be called when woken and a
 * few times a second. Each is to be ended by the other function, with NULL for the grant if nobody
 * knows what became of it. From any thread. */
size_t palenca_rate_limiters_collect(palenca_share_request *requests, size_t max);
void palenca_rate_limiters_grant(const palenca_share_request *request,
                                 const palenca_share_grant *grant);

/* After a fork the parent's engine continues; the child's copy of it has lost its connections,
 * its unfinished calls fail as PALENCA_NETWORK there, and new ones work. */
typedef struct palenca_engine palenca_engine;

typedef struct {
  palenca_rate_limiters *rate_limiters; /* retained; NULL: those of the process */
  int max_in_flight;                    /* transfers at once, of which those of low priority leave a
                                           26th to others; 0: 104 */
} palenca_engine_options;

/* Options that are NULL are all 0: the defaults. NULL on failure. */
palenca_engine *palenca_engine_new(const palenca_engine_options *options, palenca_error *error);
/* Ends every call without a result, closes all connections. NULL is allowed. */
void palenca_engine_free(palenca_engine *engine);

typedef struct {
  const char *name;
  const char *value;
  size_t value_size;
} palenca_header;

/* Copied by submit. The caller checks the URL's parts with the functions above. */
typedef struct {
  const char *method;
  const char *url;
  const palenca_header *headers;
  size_t header_count;
  const char *body; /* NULL: none */
  size_t body_size;
  bool idempotent;
  bool low_priority;     /* lets calls of the same key pass that are not */
  uint64_t group;        /* calls of one group that wait for their key's rate limit take turns with
                            those of others, and with calls of none; 0: none */
  bool share_connection; /* waits for a connection that is being opened, if it may be one that many
                            requests share, instead of opening another */
  bool measure;        /* the result says how the response was transferred, and what is left of the
                          rate limit */
  bool observe;        /* each of its attempts is recorded, for palenca_engine_take_attempt */
  bool keep_headers;   /* the result has the response's header lines */
  bool allow_tls_1_2;  /* the API needs 1.3; other servers may not have it */
  const char *ca_file; /* certificates to trust instead of the system's; NULL: those */
  const char *proxy;   /* URL of a proxy; NULL: as the environment says, "": none */
  int timeout_ms;      /* of one attempt, connecting included; 0: the default */
  int deadline_ms;     /* of all attempts and waits together; 0: none */
  int max_retries;     /* at most PALENCA_MAX_RETRIES_MAX; 0: none */
  const char *rate_limit_key; /* requests with the same key and limit share a count; NULL:
                           unlimited. Only a digest of it is stored. */
  size_t rate_limit_key_size;
  int rate_limit;      /* requests in PALENCA_RATE_WINDOW_MS; 0: unlimited */
  size_t max_response; /* bytes after decompression; 0: the default */
} palenca_request;

/* The id of the call, > 0; or 0 with `error` set, and nothing was queued: PALENCA_USAGE if the
 * engine, the request or a part of it that must be there is NULL, a number is out of its range, or
 * a method or header is not valid. What is wrong with a URL is its call's result. */
uint64_t palenca_engine_submit(palenca_engine *engine, const palenca_request *request,
                               palenca_error *error);

/* Has connections to the server of a request open before there is one, for `for_ms` from now or as
 * long as an earlier call said: one with HTTP/2, a few with HTTP/1.1; those that the server closes
 * are replaced, at a bounded rate. Nothing is sent on them. Of the request only `url`, `ca_file`,
 * `proxy` and `allow_tls_1_2` count. No failure to connect is reported. */
bool palenca_engine_preconnect(palenca_engine *engine, const palenca_request *request,
                               int64_t for_ms, palenca_error *error);

#define PALENCA_WAKE_FDS_MAX 8

/* Another event loop drives an engine with step(0): after each submit, preconnect and cancel,
 * whenever this descriptor is readable, and next_deadline later, which it asks for after each step.
 * The descriptor is the engine's to close, and another one after a fork; -1 without memory, and on
 * systems that have no epoll. */
int palenca_engine_fd(palenca_engine *engine);

/* Works, and waits for at most `max_wait` ms if there is nothing to do: less if a call makes
 * progress, one of `wake_fds` (further ones are ignored) is readable, or a signal comes, on
 * which the caller may have to act. Returns the number of completed calls waiting to be taken. */
size_t palenca_engine_step(palenca_engine *engine, int64_t max_wait, const int *wake_fds,
                           size_t wake_fd_count);

/* Milliseconds after which step must be called even if nothing happens; -1: never. */
int64_t palenca_engine_next_deadline(palenca_engine *engine);

/* A response of any status is a success here (`error.kind` PALENCA_OK): what the status means is
 * for the caller to decide, with palenca_status_kind. */
typedef struct {
  uint64_t id;
  palenca_error error;
  int status;
  int attempts;
  int64_t turn_wait_ms; /* for its turn under the rate limit, before all attempts together */
  palenca_meta meta;
  /* where `measure` was set and a response came */
  int http_version;    /* 1, 2 or 3; else 0 */
  int64_t response_us; /* from when its connection could take the request until the response had
                          come, microseconds */
  int64_t turns_left;  /* how many requests of low priority the rate limit permits now; -1: any, or
                          not known */
  char *headers;       /* the final response's header lines, folded ones joined, without trailers;
                          NUL-terminated; NULL unless keep_headers was set */
  size_t headers_size;
  char *body; /* NUL-terminated; or NULL */
  size_t body_size;
} palenca_result;

/* The next completed call, in order of completion, or NULL. */
palenca_result *palenca_engine_take(palenca_engine *engine);
/* NULL is allowed. */
void palenca_result_free(palenca_result *result);

/* One attempt of a call, whether it was the last or not. */
typedef struct {
  uint64_t id;
  int number;        /* 1 for the first */
  palenca_kind kind; /* of the transport: PALENCA_OK if a complete response arrived */
  int status;        /* 0 without a response */
  int64_t duration_ms;
  int64_t retry_in_ms; /* -1: it is not repeated */
  char request_id[128];
} palenca_attempt_record;

/* The oldest attempt that was recorded and not yet taken; false if there is none. Of calls that are
 * observed, the newest PALENCA_ATTEMPTS_MAX are kept. */
#define PALENCA_ATTEMPTS_MAX 1024
bool palenca_engine_take_attempt(palenca_engine *engine, palenca_attempt_record *record);

/* Forgets a call; no result comes. False if the id is unknown or completed. */
bool palenca_engine_cancel(palenca_engine *engine, uint64_t id);

/* Calls neither completed nor canceled. */
size_t palenca_engine_active(const palenca_engine *engine);
/* Those of them that are being sent; the others wait for the rate limit, or for their next attempt.
 */
size_t palenca_engine_in_flight(const palenca_engine *engine);

/* Loads libcurl if it is not yet, and writes its version and that of its TLS library, such as
 * "7.88.1 (OpenSSL/3.0.17)". False if it cannot be loaded. */
bool palenca_curl_version(char *text, size_t size, palenca_error *error);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif
