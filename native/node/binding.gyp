# The binding alone. The core below it is built by Meson (tools/build-native.mjs), which passes its folder and DPDK's flags.
{
  'variables': {
    'meson_build%': '../../build/release',
    'dpdk_libs%': '-lrte_eal',
  },
  'targets': [
    {
      'target_name': 'qstack',
      'sources': [
        'binding.cc',
        'classify_calls.cc',
        'control.cc',
        'control_values.cc',
        'device.cc',
        'mcc.cc',
        'mcc_forms.cc',
        'monitor.cc',
        'options.cc',
        'poller.cc',
        'poller_object.cc',
        'read_config.cc',
        'read_policy.cc',
        'redis.cc',
        'registry.cc',
        'ring_wires.cc',
        'stack_instance.cc',
      ],
      'include_dirs': ['../..', '<!@(node -p "require(\'node-addon-api\').include")'],
      'defines': ['NAPI_VERSION=9', 'NAPI_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags!': ['-fno-exceptions'],
      'cflags_cc!': ['-fno-exceptions', '-std=gnu++17'],
      'cflags_cc': ['-std=c++20', '-fexceptions', '-Wall', '-Wextra', '-fno-strict-aliasing', '-fvisibility=hidden'],
      # The libraries below are compiled for optimization by the linker (meson.build).
      'ldflags': ['-flto=auto', '-O3', '-fno-strict-aliasing'],
      'libraries': [
        '<(meson_build)/native/monitor/libqstack_monitor.a',
        '<(meson_build)/native/mcc/libqstack_mcc.a',
        '<(meson_build)/native/redis/libqstack_redis.a',
        '<(meson_build)/native/port/dpdk/libqstack_port.a',
        '<(meson_build)/libqstack_core.a',
        '<(dpdk_libs)',
        '-lhiredis',
        '-lpcap',
        '-lpthread',
      ],
    },
  ],
}
