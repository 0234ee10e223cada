/* The headers of libcurl, or what is missing of them: instead of <curl/curl.h>. */
#ifndef PALENCA_CURL_VERSION_H
#define PALENCA_CURL_VERSION_H

#if !__has_include(<curl/curl.h>)
#error "curl/curl.h is missing: install libcurl4-openssl-dev (Debian) or libcurl-devel (Fedora)"
#endif
#include <curl/curlver.h>

/* 7.87, of headers and library */
#define CURL_VERSION_MIN 0x075700

#if LIBCURL_VERSION_NUM < CURL_VERSION_MIN
#error "libcurl 7.87 or later is needed; the headers that were found are of an older one"
#endif
#include <curl/curl.h>

/* CURLE_TOO_LARGE of libcurl 8.6 and later, which older headers do not have. */
#define CURL_TOO_LARGE 100

#endif
