# A PostgreSQL of its own in a folder, for as long as somebody holds this script's standard input open: `sh postgres.sh BIN FOLDER [OPTION...]`.
# With a folder in PRIMARY it is a standby of the one there. It says `started` when the server was started. The line `stop` ends the server as a
# crash would, and `start` starts it again.
set -eu
bin=$1 folder=$2
shift 2
as=
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL does not run as root.
    as='setpriv --reuid=postgres --regid=postgres --clear-groups'
    chown -R postgres "$folder"
fi
cd "$folder"
if [ -n "${PRIMARY-}" ]; then
    $as "$bin/pg_basebackup" -h "$PRIMARY" -U postgres -D "$folder/data" -R -X stream -c fast --no-sync >"$folder/initdb" 2>&1
else
    $as "$bin/initdb" -D "$folder/data" -U postgres -A trust --no-sync --no-instructions >"$folder/initdb" 2>&1
fi
server=
start() {
    $as "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= "$@" >>"$folder/log" 2>&1 </dev/null &
    server=$!
    echo started
}
# Ends it with this signal, where it runs.
end() {
    [ -z "$server" ] && return
    kill "-$1" "$server"
    wait "$server" || true
    server=
}
start "$@"
while read -r line; do
    case $line in
    stop)
        end QUIT
        echo stopped
        ;;
    start) start "$@" ;;
    esac
done
end INT
cd /
rm -rf "$folder"
