package asofcontext

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo answers with the context it got, or "none"; /to/URL redirects there.
func echo(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := strings.TrimPrefix(r.URL.Path, "/to/"); to != r.URL.Path {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
		got := strings.Join(r.Header.Values(header), ",")
		if got == "" {
			got = "none"
		}
		io.WriteString(w, got)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

var client = &http.Client{Transport: &Transport{}}

// get returns the body at the URL, called under ctx with these headers.
func get(t *testing.T, ctx context.Context, url string, headers http.Header) string {
	t.Helper()
	call, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	call.Header = headers
	answer, err := client.Do(call)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

// inside returns the context.Context that a handler of a request with these headers sees.
func inside(headers http.Header) (seen context.Context) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = headers
	Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r.Context()
	})).ServeHTTP(nil, r)
	return seen
}

func expect(t *testing.T, want, got string) {
	t.Helper()
	if got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

func TestTheHeaderOrElseTheBaggageMember(t *testing.T) {
	long := strings.Repeat("x", longest)
	for _, c := range []struct {
		headers http.Header
		want    string
	}{
		{http.Header{"Asof-Context": {"1-a-b-c-d"}}, "1-a-b-c-d"},
		{http.Header{"Baggage": {"x=1, asof = t1 ;p=asof,y=2"}}, "t1"},
		{http.Header{"Baggage": {"x=1", "asof=t2"}}, "t2"},
		{http.Header{"Asof-Context": {"h"}, "Baggage": {"asof=b"}}, "h"},
		{http.Header{"Asof-Context": {"a b"}, "Baggage": {"asof=b"}}, ""},
		{http.Header{"Asof-Context": {""}, "Baggage": {"asof=b"}}, ""},
		{http.Header{"Baggage": {"x=asof,asofx=1,y=2;asof=3"}}, ""},
		{http.Header{"Traceparent": {"00-1-2-01"}}, ""},
		{http.Header{"Asof-Context": {long}}, long},
		{http.Header{"Asof-Context": {long + "x"}}, ""},
		{http.Header{"Baggage": {"asof=" + long + "x"}}, ""},
		{http.Header{"Asof-Context": {"a\tb"}}, ""},
		{http.Header{"Asof-Context": {"a\x7f"}}, ""},
		{http.Header{"Asof-Context": {"aé"}}, ""},
		{http.Header{"Asof-Context": {"a", "b"}}, ""},
	} {
		if got := Current(inside(c.headers)); got != c.want {
			t.Errorf("%q: want %q, got %q", c.headers, c.want, got)
		}
	}
}

func TestCallsCarryItInsideOfARequestOnly(t *testing.T) {
	egress := echo(t)
	ctx := inside(http.Header{"Asof-Context": {"t"}})
	expect(t, "t", get(t, ctx, egress, http.Header{"X": {"y"}}))
	expect(t, "t", get(t, ctx, egress, nil))
	expect(t, "none", get(t, inside(nil), egress, nil))
	expect(t, "none", get(t, context.Background(), egress, nil))
}

func TestAnExplicitHeaderIsLeftAlone(t *testing.T) {
	ctx := inside(http.Header{"Asof-Context": {"t"}})
	expect(t, "mine", get(t, ctx, echo(t), http.Header{"Asof-Context": {"mine"}}))
}

func TestOnlyTheEgressGetsIt(t *testing.T) {
	egress, foreign := echo(t), echo(t)
	ctx := inside(http.Header{"Asof-Context": {"t"}})
	t.Setenv("ASOF_EGRESS", egress+"/")
	expect(t, "t", get(t, ctx, egress+"/-/files/x", nil))
	expect(t, "none", get(t, ctx, foreign, nil))
	expect(t, "none", get(t, ctx, egress+"/to/"+foreign, nil))
	expect(t, "t", get(t, ctx, egress+"/to/"+egress, nil))
	expect(t, "t", get(t, ctx, foreign+"/to/"+egress, nil))
	t.Setenv("ASOF_EGRESS", "not a url")
	expect(t, "none", get(t, ctx, egress, nil))
}

func TestOrigins(t *testing.T) {
	t.Setenv("ASOF_EGRESS", "http://egress:80")
	for url, want := range map[string]bool{
		"http://egress/x": true, "http://EGRESS:80": true, "http://user@egress/": true,
		"https://egress/": false, "http://egress:81/": false, "http://egress.evil/": false,
		"http://egress:80@evil/": false, "https://egress:80/": false,
	} {
		if r, err := http.NewRequest("GET", url, nil); err != nil || isEgress(r.URL) != want {
			t.Errorf("%s: want %v (%v)", url, want, err)
		}
	}
}

func TestTheCallOfTheCallerIsNotChanged(t *testing.T) {
	call, _ := http.NewRequestWithContext(inside(http.Header{"Asof-Context": {"t"}}), "GET", echo(t), nil)
	answer, err := client.Do(call)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	expect(t, "", call.Header.Get(header))
}

func TestInterleavedRequestsKeepTheirContextsAlsoAfterTheAnswer(t *testing.T) {
	egress := echo(t)
	const calls = 120
	var late sync.Map
	var working sync.WaitGroup
	service := httptest.NewServer(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := get(t, r.Context(), egress, nil)
		time.Sleep(5 * time.Millisecond)
		second := make(chan string)
		go func() { second <- get(t, r.Context(), egress, nil) }()
		working.Add(1)
		go func(ctx context.Context, id string) {
			defer working.Done()
			time.Sleep(20 * time.Millisecond)
			late.Store(id, get(t, ctx, egress, nil))
		}(Detached(r.Context()), r.URL.Path)
		fmt.Fprintf(w, "%s %s", first, <-second)
	})))
	defer service.Close()

	expected := func(i int) string {
		if i%3 == 0 {
			return "none"
		}
		return fmt.Sprintf("t%d", i)
	}
	var asking sync.WaitGroup
	for i := 0; i < calls; i++ {
		asking.Add(1)
		go func(i int) {
			defer asking.Done()
			headers := []http.Header{
				{}, {"Asof-Context": {expected(i)}}, {"Baggage": {"a=b,asof=" + expected(i)}},
			}[i%3]
			got := get(t, context.Background(), fmt.Sprintf("%s/%d", service.URL, i), headers)
			expect(t, expected(i)+" "+expected(i), got)
		}(i)
	}
	asking.Wait()
	working.Wait()
	for i := 0; i < calls; i++ {
		got, _ := late.Load(fmt.Sprintf("/%d", i))
		expect(t, expected(i), fmt.Sprint(got))
	}
}
