#!/usr/bin/env bash
# Captures the sample logs by running real programs for LENGTH seconds (default 200), each under traffic on loopback.
# Needs Debian's: nginx-light postgresql redis-server default-jdk-headless liblogback-java nodejs python3 curl
# apache2-utils logrotate zstd. As root the database runs as the user postgres.
# usage: sample-logs/capture/capture.sh [OUT_DIR]
set -Eeuo pipefail
trap 'echo "capture.sh: line $LINENO failed: $BASH_COMMAND" >&2' ERR
PATH=/usr/sbin:/usr/bin:/sbin:/bin # Debian's programs, not one's own
export LC_ALL=C.UTF-8 TZ=UTC PYTHONUNBUFFERED=1
programs=$(cd "$(dirname "$0")/programs" && pwd)
out=$(cd "${1:-$programs/../..}" && pwd)
length=${LENGTH:-200}
work=$(mktemp -d)
chmod 755 "$work"
pids=()

stop() {
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    pids=()
}
trap 'stop; rm -rf "$work"' EXIT

ports() { # N free ports, all different
    python3 -c 'import socket,sys
held=[socket.create_server(("127.0.0.1",0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))' "$1"
}

own() { # begins a subshell that ends its programs itself
    pids=()
    trap stop EXIT
}

folder() { mkdir -p "$work/$1" && cd "$work/$1"; }

until_open() { # waits for a port
    python3 -c 'import socket,sys,time
for _ in range(200):
    try: socket.create_connection(("127.0.0.1",int(sys.argv[1])),1); sys.exit()
    except OSError: time.sleep(.05)
sys.exit("port did not open")' "$1"
}

services() { # what nginx passes requests to: JSON lines, logfmt, Chinese
    folder services && cp "$programs"/{store.mjs,metrics.py,wangdian.py} .
    node store.mjs "$STORE" >"$work/store.jsonl" 2>&1 & pids+=($!)
    python3 metrics.py "$METRICS" >"$work/metrics.logfmt" 2>&1 & pids+=($!)
    python3 wangdian.py "$WANGDIAN" >"$work/wangdian.log" 2>&1 & pids+=($!)
    for port in "$STORE" "$METRICS" "$WANGDIAN"; do until_open "$port"; done
}

web() { # nginx, its clients, one rotation in the middle
    folder web
    mkdir -p html/static html/catalog tmp
    for page in index about catalog/index; do printf '<h1>%s</h1>\n' "$page" >"html/$page.html"; done
    printf 'body{}\n' >html/static/app.css
    printf 'let a=1;\n' >html/static/app.js
    head -c 40000 /dev/zero >html/static/photo.bin
    sed "s/@HTTP@/$HTTP/;s/@STORE@/$STORE/;s/@METRICS@/$METRICS/;s/@WANGDIAN@/$WANGDIAN/;s/@DEAD@/$DEAD/" "$programs/nginx.conf.in" >nginx.conf
    nginx -p "$work/web" -e error.log -c "$work/web/nginx.conf" & pids+=($!)
    until_open "$HTTP"
    python3 "$programs/traffic.py" "$HTTP" "$length" &
    local clients=$!
    sleep "$(awk "BEGIN{print $length*0.4}")"
    ab -q -n 300 -c 3 -H 'User-Agent: ApacheBench/2.3' "http://127.0.0.1:$HTTP/static/photo.bin" >/dev/null
    curl -sS -o /dev/null -A 'curl "odd" agent' "http://[::1]:$HTTP/about.html" -r 0-3,5-8
    curl -sS -o /dev/null --max-time 0.3 "http://127.0.0.1:$HTTP/api/slow" 2>/dev/null || true
    printf '%s/web/access.log { rotate 2\n compress\n missingok\n nodateext\n su root root\n postrotate\n kill -USR1 $(cat %s/web/nginx.pid)\n endscript\n}\n' "$work" "$work" >rotate.conf
    [ "$(id -u)" = 0 ] || sed -i '/su root/d' rotate.conf
    chmod 644 rotate.conf
    logrotate --force --state "$work/web/rotate.state" rotate.conf
    wait "$clients"
}

database() { # PostgreSQL: a private cluster on a unix socket
    folder database
    local bin as=()
    bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -1)
    [ "$(id -u)" = 0 ] && chown postgres . && as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    PATH=$bin:$PATH
    "${as[@]}" initdb -D "$PWD/data" --locale=C.UTF-8 --auth=trust -U owner >/dev/null
    cat >>data/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '$PWD'
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
log_connections = on
log_disconnections = on
log_min_duration_statement = 100ms
log_checkpoints = on
log_lock_waits = on
deadlock_timeout = 200ms
log_autovacuum_min_duration = 0
autovacuum_naptime = 6s
checkpoint_timeout = 30s
log_temp_files = 0
work_mem = 64kB
CONF
    "${as[@]}" postgres -D "$PWD/data" 2>"$work/postgresql.log" & pids+=($!)
    local db=(psql -X -q -h "$PWD" -U owner -d postgres)
    until "${db[@]}" -c 'select 1' >/dev/null 2>&1; do sleep 0.1; done
    "${db[@]}" -f "$programs/tables.sql"
    local end=$((SECONDS + length))
    while [ $SECONDS -lt $end ]; do
        pgbench -n -h "$PWD" -U owner -f "$programs/bench.sql" -T 8 -c 2 -R 60 postgres >/dev/null 2>&1 &
        local load=$!
        for n in 1 2 3; do
            "${db[@]}" -v n="$((RANDOM * 30 + n))" -f "$programs/trouble.sql" >/dev/null 2>&1 || true
        done
        # two sessions that want the same two rows in opposite order
        "${db[@]}" -c "begin; update accounts set balance=1 where id=1; select pg_sleep(.3); update accounts set balance=1 where id=2; commit" >/dev/null 2>&1 &
        local one=$!
        "${db[@]}" -c "begin; update accounts set balance=1 where id=2; select pg_sleep(.3); update accounts set balance=1 where id=1; commit" >/dev/null 2>&1 || true
        wait "$one" || true
        psql -h "$PWD" -U nobody -d "shop$((SECONDS % 5))" -c 'select 1' >/dev/null 2>&1 || true
        "${db[@]}" -c "select count(*) from (select * from accounts order by md5(owner)) a" >/dev/null
        wait "$load" || true
    done
}

cache() { # Redis with a replica, snapshots, an append-only file and a restart
    folder cache && mkdir -p replica
    local conf=(--loglevel debug --bind 127.0.0.1 --save "20 50" --appendonly yes --daemonize no)
    redis-server --port "$REDIS" --dir "$PWD" "${conf[@]}" >"$work/redis.log" 2>&1 & local main=$!
    until_open "$REDIS"
    redis-server --port "$REPLICA" --dir "$PWD/replica" --replicaof 127.0.0.1 "$REDIS" "${conf[@]}" >"$work/redis-replica.log" 2>&1 & pids+=($!)
    local cli=(redis-cli -p "$REDIS") end=$((SECONDS + length)) half=$((SECONDS + length / 2))
    while [ $SECONDS -lt $end ]; do
        "${cli[@]}" eval 'for i=1,40 do redis.call("set", KEYS[1]..i, string.rep("v", 50), "EX", 9+i) end return redis.call("dbsize")' 1 "cart:$RANDOM:" >/dev/null || true
        "${cli[@]}" bgsave >/dev/null || true
        "${cli[@]}" bgrewriteaof >/dev/null || true
        "${cli[@]}" nosuchcommand >/dev/null 2>&1 || true
        "${cli[@]}" config set maxmemory "$((64 + RANDOM % 9))mb" >/dev/null || true
        sleep 1.5
        if [ $half -gt 0 ] && [ $SECONDS -ge $half ]; then
            half=0
            kill -TERM "$main" && wait "$main" || true
            redis-server --port "$REDIS" --dir "$PWD" "${conf[@]}" >>"$work/redis.log" 2>&1 & main=$!
            until_open "$REDIS"
        fi
    done
    kill -TERM "$main" && wait "$main" || true
}

jvm() { # Java with logback
    folder jvm
    local jars
    jars=$(find /usr/share/java -name 'logback-c*.jar' -o -name slf4j-api.jar | grep -v -- '-[0-9]' | paste -sd:)
    javac -cp "$jars" -d classes "$programs/Warehouse.java"
    cp "$programs/logback.xml" classes/
    java -Xmx64m -XX:TieredStopAtLevel=1 -cp "classes:$jars" Warehouse "$length" "$DEAD" >"$work/warehouse.log" 2>&1
}

worker() { # Python with tracebacks
    folder billing && cp "$programs/billing.py" . && python3 billing.py "$length" "$DEAD" >"$work/billing.log" 2>&1
}

packages() { # the package manager's own logs of this machine, without packages that are not Debian's
    local foreign='google|nodesource|github|docker'
    grep -vE "$foreign|nodejs" /var/log/dpkg.log | sed -n 1,6000p >"$work/dpkg.log"
    awk -v foreign="$foreign|nodejs|://|/tmp|/home|/root" 'BEGIN{RS="";ORS="\n\n"} $0 !~ foreign' /var/log/apt/history.log >"$work/apt-history.log"
    grep -vE "$foreign|nodejs|://|/home|/root|/tmp" /var/log/apt/term.log | sed -n 1,2500p >"$work/apt-term.log"
}

keep() { # FILE NAME: into the samples, the temporary folder written as /srv/demo, the kernel without its build's name
    sed -e "s#$work#/srv/demo#g" -e 's#\(OS: Linux [0-9.]*\)-.*#\1#' "$1" >"$out/$2"
}

read -r HTTP STORE METRICS WANGDIAN DEAD REDIS REPLICA < <(ports 7)
services
(own; web; stop) & jobs=($!)
(own; database; stop) & jobs+=($!)
(own; cache; stop) & jobs+=($!)
jvm & jobs+=($!)
worker & jobs+=($!)
for job in "${jobs[@]}"; do wait "$job"; done
stop
packages

cd "$work"
keep web/access.log nginx-access.log
keep web/error.log nginx-error.log
gzip -dc web/access.log.1.gz | sed "s#$work#/srv/demo#g" | gzip -9n >"$out/nginx-access.log.1.gz"
keep postgresql.log postgresql.log
keep redis.log redis.log
sed "s#$work#/srv/demo#g" redis-replica.log | zstd -q -f -19 -o "$out/redis-replica.log.1.zst"
keep warehouse.log warehouse.log
keep billing.log billing.log
keep store.jsonl store.jsonl
keep metrics.logfmt metrics.logfmt
keep wangdian.log wangdian.log
for log in dpkg.log apt-history.log apt-term.log; do keep "$log" "$log"; done
wc -l "$out"/*.log "$out"/*.jsonl "$out"/*.logfmt
