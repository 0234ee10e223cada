/* Tests of the URLs of requests: libcurl must read them as the checks here do. */
#include "palenca.h"
#include "support/unit_test.h"

#include <curl/curl.h>

#include <string.h>
#include <strings.h>

typedef enum {
  REJECTED,
  LOCAL,
  REMOTE,
} verdict;

static const struct {
  const char *url;
  verdict verdict;
} urls_of_all_kinds[] = {
    {"http://127.0.0.1/", LOCAL},
    {"http://127.0.0.1", LOCAL},
    {"http://127.0.0.1:8080?x=1", LOCAL},
    {"http://127.0.0.1#x", LOCAL},
    {"http://me:secret@127.0.0.1:8080/", LOCAL},
    {"http://me@localhost/", LOCAL},
    {"http://me:@localhost/", LOCAL},
    {"http://:secret@localhost/", LOCAL},
    {"https://me:a%40b%2F%3A@localhost/", LOCAL},
    {"http://me:a:b@[::1]:80/", LOCAL},
    {"http://example.com:80@localhost/", LOCAL},
    {"http://LocalHost/", LOCAL},
    {"http://LOCALHOST:1", LOCAL},
    {"http://[::1]/", LOCAL},
    {"http://[0:0:0:0:0:0:0:1]/", LOCAL},
    {"http://[::0001]:8080/", LOCAL},
    {"http://127.255.255.254/", LOCAL},
    {"http://127.0.0.1/@example.com", LOCAL},
    {"http://127.0.0.1/?u=http://me@example.com/", LOCAL},
    {"http://127.0.0.1/#@example.com", LOCAL},
    {"http://127.0.0.1/caf\xc3\xa9", LOCAL},
    {"http://example.com/", REMOTE},
    {"https://EXAMPLE.com:8443/x", REMOTE},
    {"http://localhost:80@example.com/", REMOTE},
    {"http://127.0.0.1@example.com/", REMOTE},
    {"http://example.com/127.0.0.1", REMOTE},
    {"http://example.com?@127.0.0.1/", REMOTE},
    {"http://example.com#@127.0.0.1/", REMOTE},
    {"http://localhost.example.com/", REMOTE},
    {"http://127.0.0.1.example.com/", REMOTE},
    {"http://127.0.0.1a/", REMOTE},
    {"http://7f3a9c2b1d0e/", REMOTE},
    {"http://a_b:8000/", REMOTE},
    {"http://xn--caf-dma.example/", REMOTE},
    {"http://[::2]/", REMOTE},
    {"http://[::ffff:127.0.0.1]/", REMOTE},
    {"http://0.0.0.0/", REMOTE},
    {"http://128.0.0.1/", REMOTE},
    {"http://a:b@c.example:1/", REMOTE},
    {"", REJECTED},
    {"127.0.0.1", REJECTED},
    {"//127.0.0.1/", REJECTED},
    {"http:/127.0.0.1/", REJECTED},
    {"http:127.0.0.1/", REJECTED},
    {"http:///127.0.0.1/", REJECTED},
    {"http:////127.0.0.1/", REJECTED},
    {"http://", REJECTED},
    {"http://?x", REJECTED},
    {"http://#x", REJECTED},
    {"HTTP://127.0.0.1/", REJECTED},
    {"ftp://127.0.0.1/", REJECTED},
    {"http://<me@127.0.0.1/", REJECTED},
    {"http://me<@127.0.0.1/", REJECTED},
    {"file:///etc/passwd", REJECTED},
    {"http://127.1/", REJECTED},
    {"http://127.0.1/", REJECTED},
    {"http://2130706433/", REJECTED},
    {"http://0x7f.1/", REJECTED},
    {"http://0x7f000001/", REJECTED},
    {"http://0177.0.0.1/", REJECTED},
    {"http://127.0.0.01/", REJECTED},
    {"http://127.0.0.1./", REJECTED},
    {"http://localhost./", REJECTED},
    {"http://example.com./", REJECTED},
    {"http://1.2.3/", REJECTED},
    {"http://a@b@127.0.0.1/", REJECTED},
    {"http://127.0.0.1@a@example.com/", REJECTED},
    {"http://@127.0.0.1/", REJECTED},
    {"http://127.0.0.1@/", REJECTED},
    {"http://me:sec%00ret@127.0.0.1/", REJECTED},
    {"http://me:sec%0d%0aret@127.0.0.1/", REJECTED},
    {"http://me:%zz@127.0.0.1/", REJECTED},
    {"http://me:%7F@127.0.0.1/", REJECTED},
    {"http://me:pass word@127.0.0.1/", REJECTED},
    {"http://me:[x]@127.0.0.1/", REJECTED},
    {"http://example.com\\@127.0.0.1/", REJECTED},
    {"http://127.0.0.1\\@example.com/", REJECTED},
    {"http:\\\\127.0.0.1\\", REJECTED},
    {"http://127.0.0.1/a\\b", REJECTED},
    {"http://127.0.0.1\t/", REJECTED},
    {"http://127.0.0.1\r\n/", REJECTED},
    {"http://127.0.0.1 /", REJECTED},
    {" http://127.0.0.1/", REJECTED},
    {"http://127.0.0.1/ ", REJECTED},
    {"http://\t127.0.0.1/", REJECTED},
    {"ht\ntp://127.0.0.1/", REJECTED},
    {"http://127.0.0.1/\x01", REJECTED},
    {"http://127.0.0.%31/", REJECTED},
    {"http://%6cocalhost/", REJECTED},
    {"http://loc%C2%ADalhost/", REJECTED},
    {"http://127\xe3\x80\x82"
     "0.0.1/",
     REJECTED},
    {"http://\xef\xbc\x91"
     "27.0.0.1/",
     REJECTED},
    {"http://[::1%25lo]/", REJECTED},
    {"http://[::1%lo]/", REJECTED},
    {"http://[fe80::1%25eth0]/", REJECTED},
    {"http://[::1/", REJECTED},
    {"http://::1/", REJECTED},
    {"http://[127.0.0.1]/", REJECTED},
    {"http://127.0.0.1:/", REJECTED},
    {"http://127.0.0.1:0/", REJECTED},
    {"http://127.0.0.1:65536/", REJECTED},
    {"http://127.0.0.1:80:80/", REJECTED},
    {"http://127.0.0.1:80a/", REJECTED},
    {"http://127.0.0.1;@example.com/", REMOTE},
    {"http://127.0.0.1&x=/", REJECTED},
    {"http://127.0.0.1*/", REJECTED},
    {"http://<127.0.0.1>/", REJECTED},
};

static bool is_local_host(const char *host) {
  return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

/* Where a request to a URL goes, libcurl says; it is asked as itself, and not as a browser. */
static void check_as_curl_does(const char *text, bool is_local) {
  char *host = NULL;
  CURLU *url = curl_url();
  if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
      curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    fail_msg("%s: libcurl does not take it", text);
  }
  if (is_local_host(host) != is_local) {
    fail_msg("%s: libcurl goes to %s", text, host);
  }
  curl_free(host);
  curl_url_cleanup(url);
}

UNIT_TEST(test_urls_are_read_as_libcurl_does) {
  for (size_t i = 0; i < LENGTH(urls_of_all_kinds); i++) {
    const char *url = urls_of_all_kinds[i].url;
    verdict expected = urls_of_all_kinds[i].verdict;
    palenca_error error = {.kind = PALENCA_OK, .message = ""};
    bool is_accepted = palenca_url_check(url, &error);
    if (is_accepted != (expected != REJECTED)) {
      fail_msg("%s: %s", url, is_accepted ? "was accepted" : error.message);
    }
    assert_int_equal(error.kind, is_accepted ? PALENCA_OK : PALENCA_USAGE);
    assert_null(strstr(error.message, "secret"));
    if (palenca_url_is_local(url) != (expected == LOCAL)) {
      fail_msg("%s: is %s", url, expected == LOCAL ? "not local" : "local");
    }
    if (is_accepted) {
      check_as_curl_does(url, expected == LOCAL);
    }
  }
}
