// Package asofcontext copies the context of a request to the calls made while handling it. It
// does nothing else.
//
// The edge names every request that it sends to a service with an opaque context, in the header
// Asof-Context or, where that is absent, in the baggage member asof. Calls that carry it back are
// recorded as inputs of the answer. This file is one way to carry it; copy it into your service,
// it needs nothing but Go 1.19.
//
//	http.ListenAndServe(address, asofcontext.Handler(mux))
//
//	client := &http.Client{Transport: &asofcontext.Transport{}}
//	call, err := http.NewRequestWithContext(r.Context(), "GET", url, nil)
//	answer, err := client.Do(call)
//
// The context travels in the context.Context of the request: a call made without it, as by
// http.Get, carries nothing.
//
// If ASOF_EGRESS is set, only calls to that origin carry the context.
//
// Work that goes on after the answer carries it too, and that is wanted: the edge then sees a late
// call and keeps nothing that depends on it. The server cancels the context of a request when the
// handler returns, so such work starts from Detached.
package asofcontext

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const header = "Asof-Context"

// longest is the length in bytes above which a value is no context.
const longest = 256

type key struct{}

// Current returns the context of the request being handled, or "" outside of one.
func Current(ctx context.Context) string {
	value, _ := ctx.Value(key{}).(string)
	return value
}

// Detached returns a context that carries what ctx carries for the edge, but is not cancelled with
// it: for work that goes on after the answer.
func Detached(ctx context.Context) context.Context {
	return context.WithValue(context.Background(), key{}, Current(ctx))
}

// Handler wraps a handler so that the context of each request is found in its context.Context.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), key{}, incoming(r.Header))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Transport is an http.RoundTripper that adds the context of a call's context.Context to the call.
//
// An http.Client asks it for each hop of a redirect anew, and never sees the header that it added:
// a redirect that leads away from the egress does not take the context along.
type Transport struct {
	// Base makes the calls; http.DefaultTransport if nil.
	Base http.RoundTripper
}

// RoundTrip makes the call.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if value := Current(r.Context()); value != "" && isEgress(r.URL) && r.Header.Values(header) == nil {
		r = r.Clone(r.Context()) // a RoundTripper may not change the call of its caller
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set(header, value)
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	return base.RoundTrip(r)
}

// incoming returns the context that a request carries. The header, even a bad one, goes before the
// baggage.
func incoming(headers http.Header) string {
	value := fromBaggage(strings.Join(headers.Values("Baggage"), ","))
	if given := headers.Values(header); given != nil {
		value = strings.Join(given, ", ") // several are none: a space is no part of a context
	}
	if len(value) > longest {
		return ""
	}
	// Whatever else was not made by an edge, and may be an attempt to smuggle.
	for i := 0; i < len(value); i++ {
		if value[i] < 0x21 || value[i] > 0x7e {
			return ""
		}
	}
	return value
}

func fromBaggage(baggage string) string {
	for _, member := range strings.Split(baggage, ",") {
		pair, _, _ := strings.Cut(member, ";") // properties follow
		name, value, _ := strings.Cut(pair, "=")
		if strings.TrimSpace(name) == "asof" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// isEgress reports whether a call of this URL may carry the context.
func isEgress(u *url.URL) bool {
	egress := os.Getenv("ASOF_EGRESS")
	if egress == "" {
		return true
	}
	// What is not a URL is nobody's: the context then stays here.
	e, err := url.Parse(egress)
	return err == nil && e.Host != "" && u.Scheme == e.Scheme && origin(u) == origin(e)
}

// origin returns host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + " " + port
}
