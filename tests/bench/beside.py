#!/usr/bin/env python3
"""A mount with other computers beside it: against the same program alone, and against other replicated file systems.

  beside.py PEERDRIVE [LABEL=DIR ...] [--rounds 3] [--mib 512] [--files 2000] [--tar FILE] [--peers-idle | --apart]

PEERDRIVE is the release binary: one computer is started alone, three more share a drive, all on 127.0.0.1. LABEL=DIR are mounts of other
file systems that are up already. Each round does every workload on every mount, one after the other:

  seq_write    one file of incompressible data in 1 MiB calls, fsync, close                            MiB/s
  create       files of 4 KiB in folders of 100; each closed, and the last thing is fsync of each      files/s
  tree_untar   tar -x of FILE (default: a tree made of this checkout's sources), then fsync of each    files/s

`safe` is the same until `wait --safe` has returned as well. With --peers-idle the other two computers of the drive run only when a processor
has nothing else to do: as if they had processors of their own. With --apart the first
processor is for this program and the mounts that are measured, alone or not, and the second for the other two computers. The medians are printed, and each as a ratio to `alone`."""
import argparse, os, shutil, signal, statistics, subprocess, tarfile, tempfile, time

MIB = 1 << 20


class Computer:
    def __init__(self, program, root, name, port, prefix=(), beside=False):
        self.program, self.data, self.mount, self.beside = program, f'{root}/{name}.data', f'{root}/{name}.mount', beside
        os.mkdir(self.mount)
        self.process = subprocess.Popen(
            [*prefix, program, 'up', self.mount, '--data', self.data, '--no-discovery', '--panel', 'off', '--contribute', '20G',
             '--listen', f'127.0.0.1:{port}'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while self.process.stdout.readline().strip() != 'ready':
            assert self.process.poll() is None, 'it did not start'

    def ask(self, *args):
        return subprocess.run([self.program, *args, '--data', self.data], check=True, capture_output=True, text=True).stdout.strip()

    def wait_safe(self):
        self.ask('wait', '--safe')

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def sync_all(folder):
    """fsync of each file and folder: what a program does that wants to be sure of all of it."""
    count = 0
    for path, _, names in os.walk(folder):
        for name in [*names, '.']:
            if os.path.islink(f'{path}/{name}'):
                continue
            handle = os.open(f'{path}/{name}', os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
            count += name != '.'
    return count


def seq_write(folder, asked):
    block = os.urandom(MIB)
    with open(f'{folder}/large', 'wb', buffering=0) as file:
        for number in range(asked.mib):
            file.write(number.to_bytes(8, 'big') + block[number % 4096:] + block[8:8 + number % 4096])
        os.fsync(file.fileno())
    return asked.mib


def create(folder, asked):
    content = os.urandom(4096)
    for number in range(asked.files):
        if number % 100 == 0:
            os.mkdir(f'{folder}/{number // 100}')
        with open(f'{folder}/{number // 100}/{number}', 'wb', buffering=0) as file:
            file.write(number.to_bytes(8, 'big') + content[8:])
    return sync_all(folder)


def tree_untar(folder, asked):
    subprocess.run(['tar', '-xf', asked.tar, '-C', folder], check=True)
    return sync_all(folder)


WORKLOADS = {'seq_write': (seq_write, 'MiB/s'), 'create': (create, 'files/s'), 'tree_untar': (tree_untar, 'files/s')}


def measure(mounts, asked):
    results = {}
    for number in range(asked.rounds):
        for name, (work, _) in WORKLOADS.items():
            for label, (mount, computer) in mounts.items():
                folder = f'{mount}/{name}{number}'
                os.mkdir(folder)
                began = time.perf_counter()
                amount = work(folder, asked)
                results.setdefault((name, label), []).append(amount / (time.perf_counter() - began))
                if computer and computer.beside:
                    computer.wait_safe()
                    results.setdefault((name, f'{label}, safe'), []).append(amount / (time.perf_counter() - began))
                shutil.rmtree(folder)
                os.sync()
                if computer and computer.beside:
                    computer.wait_safe()
    return results


def show(results):
    for name, (_, unit) in WORKLOADS.items():
        base = statistics.median(results[name, 'alone'])
        for (workload, label), values in results.items():
            if workload == name:
                middle = statistics.median(values)
                print(f'{name:11} {label:22} {middle:8.0f} {unit:8} {middle / base:5.2f}x   ({min(values):.0f} to {max(values):.0f})')


def made_tar(root):
    """A tree of this checkout's own sources, several times over with other names: a few thousand small files."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    names = subprocess.run(['git', '-C', here, 'ls-files'], check=True, capture_output=True, text=True).stdout.split('\n')
    with tarfile.open(f'{root}/tree.tar', 'w') as tar:
        for copy in range(3):
            for name in filter(None, names):
                tar.add(f'{here}/{name}', f'tree{copy}/{name}')
    return f'{root}/tree.tar'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('peerdrive')
    parser.add_argument('others', nargs='*', metavar='LABEL=DIR')
    for name, default in (('rounds', 3), ('mib', 512), ('files', 2000)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--tar')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--peers-idle', action='store_true')
    where.add_argument('--apart', action='store_true')
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir='/var/tmp') as root:
        asked.tar = asked.tar or made_tar(root)
        if asked.apart:
            # What is started from here on stays there too.
            os.sched_setaffinity(0, {0})
        others_prefix = ['chrt', '--idle', '0'] if asked.peers_idle else ['taskset', '-c', '1'] if asked.apart else []
        alone = Computer(asked.peerdrive, root, 'alone', 22960)
        group = [Computer(asked.peerdrive, root, f'group{n}', 22961 + n, others_prefix if n else [], True) for n in range(3)]
        try:
            for other in group[1:]:
                other.ask('join', group[0].ask('invite'), '--peer', '127.0.0.1:22961')
            group[0].wait_safe()
            mounts = {'alone': (alone.mount, alone), 'with two others': (group[0].mount, group[0])}
            mounts.update((label, (path, None)) for label, path in (other.split('=', 1) for other in asked.others))
            show(measure(mounts, asked))
        finally:
            for computer in [alone, *group]:
                computer.end()


main()
