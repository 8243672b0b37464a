#!/bin/sh
# quickstart_test.sh SOURCE - words that ./quickstart does not know are refused
# before anything is installed or built.
cd "$1" || exit 2
n=0
while IFS='|' read -r words says; do
	n=$((n + 1))
	# shellcheck disable=SC2086 # several words
	said=$(timeout 20 ./quickstart $words 2>&1)
	code=$?
	case "$code $said" in
	"2 quickstart: $says; ./quickstart --help tells more") ok=ok ;;
	*) ok="not ok" ;;
	esac
	echo "$ok $n - quickstart $words"
	[ "$ok" = ok ] || echo "# $code $said"
done <<ROWS
nope|"nope" is no option
--roll tiny|"--roll" is no option
--role nope|there is no role "nope", but mysql and tiny
--role --keep|there is no role "--keep", but mysql and tiny
--keep --role|--role wants mysql or tiny
--role tiny tiny|"tiny" is no option
ROWS
echo "1..$n"
