// One layer of the tree: see ../../tree/layer.py.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"asofcontext"
)

var (
	name, below, egress = os.Getenv("NAME"), os.Getenv("BELOW"), os.Getenv("ASOF_EGRESS")
	executions          int64
	client              = &http.Client{Transport: &asofcontext.Transport{Base: &http.Transport{}}}
)

func ask(ctx context.Context, path string) (string, error) {
	if strings.HasPrefix(path, "/lose-"+name+"/") {
		ctx = context.Background()
	}
	call, err := http.NewRequestWithContext(ctx, "GET", egress+below+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(call)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != 200 {
		text = []byte(fmt.Sprintf("[%d]", answer.StatusCode))
	}
	return string(text), err
}

func layer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/executions" {
		fmt.Fprint(w, atomic.SwapInt64(&executions, 0))
		return
	}
	atomic.AddInt64(&executions, 1)
	text, err := ask(r.Context(), r.URL.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, "%s(%s)", name, text)
}

func main() {
	address := "127.0.0.1:" + os.Getenv("PORT")
	if err := http.ListenAndServe(address, asofcontext.Handler(http.HandlerFunc(layer))); err != nil {
		panic(err)
	}
}
