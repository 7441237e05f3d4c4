#!/usr/bin/env python3
"""PeerDrive computers on 127.0.0.1: how fast changes, files and copies get from one to the others.

  group.py PEERDRIVE... [--mib 1024] [--files 5000] [--creates 40] [--hosts 3] [--rounds 1] [--only creates,files,large,push,cold,idle]

PEERDRIVE is the release binary; of several, each round tries one after the other, so that they are compared in one run. Everything lies in a temporary folder and is ended and removed."""
import argparse, hashlib, os, signal, subprocess, tempfile, time

MIB = 1 << 20


class Computer:
    def __init__(self, program, root, number, settings=''):
        self.program, self.number = program, number
        self.data, self.mount = f'{root}/data{number}', f'{root}/mount{number}'
        os.mkdir(self.mount)
        os.mkdir(self.data, 0o700)
        open(f'{self.data}/config.toml', 'w').write(settings)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, 'up', self.mount, '--data', self.data, '--no-discovery', '--panel', 'off', '--contribute', '20G',
             '--listen', f'127.0.0.1:{22950 + self.number}'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while self.process.stdout.readline().strip() != 'ready':
            assert self.process.poll() is None, 'it did not start'

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def ask(self, *args):
        return subprocess.run([self.program, *args, '--data', self.data], check=True, capture_output=True, text=True).stdout.strip()

    def ticks(self):
        fields = open(f'/proc/{self.process.pid}/stat').read().rsplit(') ', 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def resident_mib(self):
        return int(open(f'/proc/{self.process.pid}/status').read().split('VmRSS:')[1].split()[0]) / 1024


def sum_of(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(MIB):
            digest.update(block)
    return digest.digest()


def creates(one, two, count):
    seen = []
    for number in range(count):
        began = time.perf_counter()
        open(f'{one.mount}/create{number}', 'w').write('x')
        while not os.path.exists(f'{two.mount}/create{number}'):
            time.sleep(.001)
        seen.append(time.perf_counter() - began)
        time.sleep(.05)
    seen.sort()
    print(f'create seen on another computer: median {seen[count // 2] * 1e3:.0f} ms, 99th percentile {seen[count * 99 // 100] * 1e3:.0f} ms')


def files(one, two, count):
    contents = [os.urandom(4096) for _ in range(count)]
    os.mkdir(f'{one.mount}/files')
    began = time.perf_counter()
    for number, content in enumerate(contents):
        if number % 100 == 0:
            os.mkdir(f'{one.mount}/files/{number // 100}')
        with open(f'{one.mount}/files/{number // 100}/{number}', 'wb') as file:
            file.write(content)
    closed = time.perf_counter()
    for number, content in enumerate(contents):
        path = f'{two.mount}/files/{number // 100}/{number}'
        while True:
            try:
                if open(path, 'rb').read() == content:
                    break
            except FileNotFoundError:
                pass
            time.sleep(.001)
    read = time.perf_counter()
    one.ask('wait', '--safe')
    print(f'{count} x 4 KiB: written in {closed - began:.2f} s, all read on another computer {read - closed:.2f} s after the last close '
          f'({count / (read - began):.0f} files/s), safe {time.perf_counter() - closed:.2f} s after it')


def large(one, two, mib):
    content = os.urandom(mib * MIB)
    began = time.perf_counter()
    with open(f'{one.mount}/large', 'wb') as file:
        for at in range(0, len(content), MIB):
            file.write(content[at:at + MIB])
    written = time.perf_counter()
    while not (os.path.exists(f'{two.mount}/large') and os.stat(f'{two.mount}/large').st_size == len(content)):
        time.sleep(.002)
    assert sum_of(f'{two.mount}/large') == hashlib.sha256(content).digest(), 'WRONG'
    read = time.perf_counter()
    one.ask('wait', '--safe')
    print(f'{mib} MiB: written in {written - began:.2f} s, read and verified on another computer after {read - began:.2f} s '
          f'({mib / (read - began):.0f} MiB/s), safe after {time.perf_counter() - began:.2f} s')


def push(one, other, mib):
    """To a computer that was down when the file was written and holds copies: from its `ready` to *safe*, the calling included; what
    that alone takes is seen by a small file."""
    other.stop()
    with open(f'{one.mount}/push', 'wb') as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    os.sync()
    other.start()
    ticks, began = [one.ticks(), other.ticks()], time.perf_counter()
    one.ask('wait', '--safe')
    took = time.perf_counter() - began
    cpu = [(computer.ticks() - before) / 100 for computer, before in zip((one, other), ticks)]
    print(f'{mib} MiB pushed: {took:.2f} s ({mib / took:.0f} MiB/s), {cpu[0]:.2f} and {cpu[1]:.2f} s of CPU')


def cold(one, cache, mib):
    """Read through the mount of a computer that keeps no copies; checked afterwards, when the kernel has it."""
    content = os.urandom(mib * MIB)
    with open(f'{one.mount}/cold', 'wb') as file:
        file.write(content)
    one.ask('wait', '--synced')
    path = f'{cache.mount}/cold'
    while not (os.path.exists(path) and os.stat(path).st_size == len(content)):
        time.sleep(.002)
    os.sync()
    buffer, ticks, began = bytearray(MIB), [one.ticks(), cache.ticks()], time.perf_counter()
    with open(path, 'rb', buffering=0) as file:
        while file.readinto(buffer):
            pass
    took = time.perf_counter() - began
    cpu = [(computer.ticks() - before) / 100 for computer, before in zip((one, cache), ticks)]
    assert sum_of(path) == hashlib.sha256(content).digest(), 'WRONG'
    print(f'{mib} MiB read cold: {took:.2f} s ({mib / took:.0f} MiB/s), {cpu[0]:.2f} s of CPU where it lies, {cpu[1]:.2f} s where it is read')


def idle(computers, seconds):
    time.sleep(10)
    sent = lambda: int(next(line for line in open('/proc/net/dev') if 'lo:' in line).split()[1])
    before, ticks = sent(), [computer.ticks() for computer in computers]
    time.sleep(seconds)
    used = [computer.ticks() - then for computer, then in zip(computers, ticks)]
    resident = ', '.join(f'{computer.resident_mib():.0f}' for computer in computers)
    print(f'idle: {(sent() - before) / seconds:.0f} B/s on loopback for all, {used} hundredths of a second of CPU in {seconds} s, '
          f'{resident} MiB resident')


def run(program, asked):
    wanted = asked.only.split(',')
    with tempfile.TemporaryDirectory(dir='/var/tmp') as root:
        computers = [Computer(program, root, number) for number in range(asked.hosts)]
        try:
            if 'cold' in wanted:
                cache = Computer(program, root, asked.hosts, 'replicas = false\n')
                computers.append(cache)
            for other in computers[1:]:
                began = time.perf_counter()
                other.ask('join', computers[0].ask('invite'), '--peer', '127.0.0.1:22950')
                print(f'joined in {time.perf_counter() - began:.2f} s')
            time.sleep(2)
            tests = {
                'creates': lambda: creates(computers[0], computers[1], asked.creates),
                'files': lambda: files(computers[0], computers[1], asked.files),
                'large': lambda: large(computers[0], computers[1], asked.mib),
                'push': lambda: [push(computers[0], computers[1], mib) for mib in (1, asked.mib)],
                'cold': lambda: cold(computers[0], cache, asked.mib),
                'idle': lambda: idle(computers, asked.idle),
            }
            for name in wanted:
                tests[name]()
        finally:
            for computer in computers:
                computer.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('peerdrive', nargs='+')
    for name, default in (('mib', 1024), ('files', 5000), ('creates', 40), ('hosts', 3), ('idle', 30), ('rounds', 1)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--only', default='creates,files,large,idle')
    asked = parser.parse_args()
    for _ in range(asked.rounds):
        for program in asked.peerdrive:
            print(program)
            run(program, asked)


main()
