#!/usr/bin/env python3
"""The panel and its API on this computer: first paint, bytes, a large folder, transfers beside the mount, events, memory.

  panel.py PEERDRIVE [--mib 512] [--rounds 3] [--entries 10000] [--names 0]

PEERDRIVE is the release binary. chromedriver must be there. With --names, so many are made and searched, and nothing else is measured. Everything lies in a temporary folder and is ended and removed."""
import argparse, http.client, json, os, signal, subprocess, tempfile, threading, time, urllib.request

MIB = 1 << 20
REST_S = 8
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Daemon:
    def __init__(self, program, root, name, panel):
        self.program, self.data, self.mount = program, f'{root}/data-{name}', f'{root}/mount-{name}'
        os.mkdir(self.mount)
        self.process = subprocess.Popen([program, 'up', self.mount, '--data', self.data, '--no-discovery', '--panel', panel, '--contribute', '20G'],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.link = None
        while (line := self.process.stdout.readline().strip()) != 'ready':
            assert self.process.poll() is None, 'it did not start'
            if line.startswith('panel '):
                self.link = line.split()[1]
        self.address = open(f'{self.data}/api.addr').read().strip()
        self.headers = {'Authorization': f"Bearer {open(f'{self.data}/api.token').read().strip()}"}

    def open(self, method, route, body=None, **headers):
        connection = http.client.HTTPConnection(self.address)
        connection.request(method, f'/api/v1{route}', body, {**self.headers, **headers})
        return connection.getresponse()

    def resident_mib(self):
        return int(open(f'/proc/{self.process.pid}/status').read().split('VmRSS:')[1].split()[0]) / 1024

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def median(values):
    return sorted(values)[len(values) // 2]


def timed(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def pages(daemon, rounds):
    driver = subprocess.Popen(['chromedriver', '--port=0'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    mark = 'started successfully on port '
    port = next(line for line in driver.stdout if mark in line).split(mark)[1].strip().rstrip('.')

    def ask(path, body):
        request = urllib.request.Request(f'http://127.0.0.1:{port}/session{path}', json.dumps(body).encode(), {'content-type': 'application/json'})
        return json.load(NO_PROXY.open(request))['value']

    paints, sizes, rows = [], [], []
    for number in range(rounds):
        options = {'args': ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--window-size=1280,860']}
        session = '/' + ask('', {'capabilities': {'alwaysMatch': {'browserName': 'chrome', 'goog:chromeOptions': options}}})['sessionId']
        link = daemon.link if number == 0 else json.load(daemon.open('POST', '/panel', '{}', **{'Content-Type': 'application/json'}))['url']
        ask(f'{session}/url', {'url': link})
        run = lambda script: ask(f'{session}/execute/sync', {'script': script, 'args': []})
        while run('return document.querySelector(".rows .row") === null'):
            time.sleep(.01)
        paints.append(run("return performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        sizes.append(run("return [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
                         ".filter((entry) => !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.transferSize, 0)"))
        script = """const done = arguments[arguments.length - 1]; const began = performance.now(); location.hash = '#/drive/many';
                    const look = () => document.querySelector('.crumbs h1')?.textContent === 'many' && document.querySelector('.rows .row') ? done(performance.now() - began) : requestAnimationFrame(look);
                    requestAnimationFrame(look);"""
        rows.append(ask(f'{session}/execute/async', {'script': script, 'args': []}))
        NO_PROXY.open(urllib.request.Request(f'http://127.0.0.1:{port}/session{session}', method='DELETE')).read()
    driver.terminate()
    driver.wait()
    print(f'first paint: median {median(paints):.0f} ms of {rounds}; {max(sizes) / 1000:.0f} kB transferred')
    print(f'large folder, click to first rows: median {median(rows):.0f} ms')


def transfers(daemon, mib, rounds):
    made = {what: [] for what in ('mount write', 'upload', 'mount read', 'download')}
    for number in range(rounds):
        data = os.urandom(mib * MIB)

        def write():
            with open(f'{daemon.mount}/by-mount-{number}', 'wb', buffering=0) as file:
                for at in range(0, len(data), MIB):
                    file.write(data[at:at + MIB])
                os.fsync(file.fileno())

        def upload():
            told = daemon.open('POST', f'/uploads?path=by-http-{number}', data, **{'Tus-Resumable': '1.0.0', 'Upload-Length': str(len(data)),
                               'Content-Type': 'application/offset+octet-stream'})
            assert told.read() == b'' and told.status == 201, told.status

        def read():
            os.posix_fadvise(file := os.open(f'{daemon.mount}/by-http-{number}', os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)
            while os.read(file, MIB):
                pass
            os.close(file)

        def download():
            answer = daemon.open('GET', f'/files/content?path=by-mount-{number}')
            while answer.read(MIB):
                pass

        made['mount write'].append(timed(write))
        # The same bytes again would be known already.
        data = os.urandom(mib * MIB)
        made['upload'].append(timed(upload))
        made['mount read'].append(timed(read))
        made['download'].append(timed(download))
    speed = {what: mib / median(times) for what, times in made.items()}
    print(', '.join(f'{what} {value:.0f} MiB/s' for what, value in speed.items()))
    print(f"upload is {100 * speed['upload'] / speed['mount write']:.0f} % of writing to the mount, download {100 * speed['download'] / speed['mount read']:.0f} % of reading from it")


def events(daemon, count):
    answer, heard = daemon.open('GET', '/events'), []
    arrived = threading.Event()

    def listen():
        for line in answer:
            if line.startswith(b'event: tree'):
                heard.append(time.perf_counter())
                arrived.set()

    threading.Thread(target=listen, daemon=True).start()
    arrived.wait(5)
    late = []
    for number in range(count):
        time.sleep(.3)
        arrived.clear()
        began = time.perf_counter()
        open(f'{daemon.mount}/event-{number}', 'w').close()
        assert arrived.wait(5), 'no event came'
        late.append(heard[-1] - began)
    print(f'events: median {median(late) * 1e3:.0f} ms, longest {max(late) * 1e3:.0f} ms of {count}')


def search(daemon, names):
    for folder in range(max(1, names // 1000)):
        os.mkdir(path := f'{daemon.mount}/folder {folder}')
        for number in range(1000):
            os.close(os.open(f'{path}/a name of usual length {folder} {number}.txt', os.O_CREAT | os.O_WRONLY))
    for words in ('nothing-has-this', 'length%20777%2077', 'name'):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            told = json.load(daemon.open('GET', f'/search?words={words}'))
            times.append(time.perf_counter() - began)
        print(f"search of {names} names for {words}: {len(told['entries'])} found, complete: {told['complete']}; median {median(times) * 1e3:.0f} ms, "
              f'longest {max(times) * 1e3:.0f} ms; resident {daemon.resident_mib():.1f} MiB')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('program')
    parser.add_argument('--mib', type=int, default=512)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--entries', type=int, default=10_000)
    parser.add_argument('--names', type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='peerdrive-panel-') as root:
        def fill(daemon):
            os.mkdir(f'{daemon.mount}/many')
            for number in range(asked.entries):
                open(f'{daemon.mount}/many/file {number}', 'w').close()
            # What writing took is given back at rest.
            time.sleep(REST_S)

        without = Daemon(asked.program, root, 'without', 'off')
        time.sleep(2)
        off = without.resident_mib()
        if not asked.names:
            fill(without)
            filled_off = without.resident_mib()
        without.end()
        daemon = Daemon(asked.program, root, 'with', '127.0.0.1:0')
        try:
            if asked.names:
                return search(daemon, asked.names)
            time.sleep(2)
            on = daemon.resident_mib()
            fill(daemon)
            filled_on = daemon.resident_mib()
            pages(daemon, asked.rounds)
            shown = daemon.resident_mib()
            time.sleep(REST_S)
            print(f'resident, MiB: {off:.1f} without panel, {on:.1f} with it; with {asked.entries} names made {filled_off:.1f} and {filled_on:.1f}; '
                  f'{shown:.1f} after {asked.rounds} pages showed them, {daemon.resident_mib():.1f} at rest: the panel costs {daemon.resident_mib() - filled_off:.1f}')
            events(daemon, 20)
            transfers(daemon, asked.mib, asked.rounds)
        finally:
            daemon.end()


main()
